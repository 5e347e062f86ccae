"""Prompts through the client, against the real site: cached, refreshed, heard of, and there when the site is not."""

import json
import multiprocessing
import os
import stat
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from accounts.access import Actor
from accounts.actions import revoke_key
from accounts.models import ApiKey
from countersign import ApprovalRequired, Client, NotFound, PromptOptions, RenderError, Unauthenticated, Unreachable
from countersign.cli import main
from countersign.prompts.cache import PromptsOutOfDate
from countersign.prompts.prompt import Prompt
from prompts import actions
from prompts.models import PromptUse
from tests.gateway.conftest import free_port

NAME = "acme/support/first reply"
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def world(cast, transactional_db):
    by = Actor(cast.alice)
    prompt = actions.create_prompt(team=cast.team, name="support/first reply", by=by)
    versions = []

    def write(template, **fields):
        kind = "text" if isinstance(template, str) else "chat"
        versions.append(actions.create_version(prompt=prompt, type=kind, template=template, by=by, **fields))
        return versions[-1]

    def label(version, name="candidate"):
        actions.move_label(prompt=prompt, label=name, version=version, by=by)

    label(write("Hello {{ name }}"))
    return SimpleNamespace(cast=cast, prompt=prompt, versions=versions, write=write, label=label)


class Site:
    """The site in a process of its own, which can be killed."""

    def __init__(self):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self, gateway=""):
        env = {
            **os.environ,
            "SITE_URL": self.url,
            "PROMPT_USE_EVERY_S": "0.2",
            **({"GATEWAY_URL": gateway} if gateway else {}),
        }
        command = [
            sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(self.port), "--workers",
            "1", "--blocking-threads", "4", "--no-ws", "--log-level", "warning", "config.wsgi:application",
        ]  # fmt: skip
        self.process = subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True)
        for _ in range(300):
            try:
                if httpx.get(f"{self.url}/healthz", timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.1)
        pytest.fail("the site does not answer")

    def kill(self):
        if self.process is not None:
            os.killpg(self.process.pid, 9)
            self.process.wait(10)
            self.process = None


@pytest.fixture
def own_site():
    site = Site()
    yield site
    site.kill()


@pytest.fixture
def client_with(key_of, world, tmp_path):
    made = []

    def make(url, *, user=None, key="", **options):
        given = PromptOptions(**{"folder": tmp_path / "copies", **options})
        made.append(Client(url, key or key_of(user or world.cast.victor), timeout_s=5, prompts=given))
        return made[-1]

    yield make
    for one in made:
        one.close()


def eventually(probe, timeout_s=10):
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if found := probe():
            return found
        time.sleep(0.02)
    raise AssertionError("not in time")


def test_a_fetched_prompt_is_filled_in_here_and_strictly(world, site, client_with):
    prompt = client_with(site).prompts.get(NAME, "candidate")
    assert (prompt.address, prompt.number, prompt.label, prompt.source) == (NAME, 1, "candidate", "site")
    assert prompt.render(name="Ada") == "Hello Ada" and prompt.messages(name="Ada")[0]["role"] == "user"
    with pytest.raises(RenderError, match="name"):
        prompt.render()
    assert client_with(site).prompts.get(f"{NAME}:1").digest == prompt.digest
    assert client_with(site).prompts.get(f"{NAME}@latest").number == 1
    with pytest.raises(ValueError, match="team/name"):
        client_with(site).prompts.get("nothing")


def test_what_is_fresh_is_not_asked_for_again_and_what_is_stale_is_refreshed_behind(world, site, client_with):
    client = client_with(site, fresh_s=0.3)
    sent = []
    client.http._http.event_hooks = {"request": [lambda request: sent.append(request)]}
    assert {client.prompts.get(NAME, "candidate").number for _ in range(50)} == {1} and len(sent) == 1
    world.label(world.write("Hi {{ name }}"))
    time.sleep(0.35)
    assert client.prompts.get(NAME, "candidate").number == 1, "the stale one is answered at once"
    eventually(lambda: client.prompts.get(NAME, "candidate").number == 2)
    time.sleep(0.35)
    client.prompts.get(NAME, "candidate")
    eventually(lambda: len(sent) >= 3)
    assert sent[-1].headers["if-none-match"], "a refresh costs a 304"


def test_many_threads_fetch_once(world, site, client_with):
    client = client_with(site)
    sent, found = [], []
    client.http._http.event_hooks = {"request": [lambda request: sent.append(request)]}
    threads = [
        threading.Thread(target=lambda: found.append(client.prompts.get(NAME, "candidate").number)) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 16 and len(sent) == 1


def test_the_last_good_copy_serves_while_the_site_is_away_and_says_so_once(
    world, own_site, client_with, tmp_path, key_of
):
    own_site.start()
    key = key_of(world.cast.victor)
    first = client_with(own_site.url, key=key, fresh_s=0.1)
    assert first.prompts.get(NAME, "candidate").source == "site"
    eventually(lambda: PromptUse.objects.filter(label="candidate").exists())
    own_site.kill()
    time.sleep(0.15)
    assert first.prompts.get(NAME, "candidate").number == 1, "memory goes on"
    second = client_with(own_site.url, key=key)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        began = time.monotonic()
        found = [second.prompts.get(NAME, "candidate") for _ in range(20)]
        assert time.monotonic() - began < 3
    assert {(one.number, one.source) for one in found} == {(1, "disk")}
    assert [one.category for one in caught].count(PromptsOutOfDate) == 1 and "is away" in str(caught[0].message)
    with pytest.raises(Unreachable):
        second.prompts.get(NAME, "never")
    assert second.prompts.get(NAME, "never", fallback="Hi {{ x }}").render(x=1) == "Hi 1"
    stranger = client_with(own_site.url, user=world.cast.victor)
    with pytest.raises(Unreachable):
        stranger.prompts.get(NAME, "candidate")  # another key has copies of its own
    (folder,) = [one for one in (tmp_path / "copies").iterdir() if any(one.iterdir())]
    (copy,) = folder.iterdir()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600 and stat.S_IMODE(folder.stat().st_mode) == 0o700
    copy.write_text(copy.read_text()[:-40])
    with pytest.raises(Unreachable):
        client_with(own_site.url, key=key).prompts.get(NAME, "candidate")  # a damaged copy is none
    own_site.start()
    assert client_with(own_site.url, key=key).prompts.get(NAME, "candidate").source == "site"


def test_what_the_site_refuses_is_not_served_from_a_copy(world, site, client_with, key_of):
    key = key_of(world.cast.victor)
    client = client_with(site, key=key, fresh_s=0)
    client.prompts.get(NAME, "candidate")
    row = ApiKey.objects.latest("id")
    revoke_key(key=row, by=Actor(world.cast.victor))
    with pytest.raises(Unauthenticated):
        eventually(lambda: client.prompts.get(NAME, "candidate") and None)
    with pytest.raises(Unauthenticated):
        client_with(site, key=key).prompts.get(NAME, "candidate")
    with pytest.raises(NotFound):
        client_with(site).prompts.get(NAME, "none")
    assert client_with(site).prompts.get("acme/none", fallback="x").source == "fallback"


def test_a_watching_client_hears_of_a_release_within_a_second(world, own_site, client_with, gateway_url):
    own_site.start(gateway_url)
    client = client_with(own_site.url, watch=True, fresh_s=300)
    heard = []
    client.prompts.on_change(heard.append)
    assert client.prompts.get(NAME, "candidate").number == 1
    listener = eventually(lambda: client.prompts._listeners.get("acme"))
    eventually(lambda: listener.is_connected)
    second = world.write("Hi {{ name }}")
    world.label(second)
    began = time.monotonic()
    eventually(lambda: client.prompts.get(NAME, "candidate").number == 2, 5)
    took = time.monotonic() - began
    eventually(lambda: heard and heard[-1].number == 2)
    assert took < 2.5, took  # a second on a quiet machine; tests/benchmarks/test_14 measures it


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_asks_for_itself(world, site, client_with):
    client = client_with(site, fresh_s=0)
    client.prompts.get(NAME, "candidate")
    client.prompts.get(NAME, "candidate")
    world.label(world.write("Hi"))
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def child():
        numbers = [client.prompts.get(NAME, "candidate").number]
        until = time.monotonic() + 8
        while numbers[-1] != 2 and time.monotonic() < until:
            time.sleep(0.05)
            numbers.append(client.prompts.get(NAME, "candidate").number)
        theirs.send(numbers[-1])
        os._exit(0)

    process = context.Process(target=child)
    process.start()
    assert ours.poll(15) and ours.recv() == 2
    process.join(5)


def test_writing_listing_and_labels(world, site, client_with):
    client = client_with(site, user=world.cast.alice)
    client.prompts.create("acme/notes", description="For notes.")
    chat = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "{{ q }}"},
    ]
    made = client.prompts.add_version("acme/notes", chat, message="First.")
    client.prompts.label("acme/notes", "candidate", made.number)
    prompt = client.prompts.get("acme/notes", "candidate")
    assert prompt.render(q="why?") == [chat[0], {"role": "user", "content": "why?"}]
    assert {f"{row['team']}/{row['name']}" for row in client.prompts.list(team="acme")} == {"acme/notes", NAME}
    assert [one.number for one in client.prompts.versions("acme/notes")] == [1]
    with pytest.raises(ApprovalRequired):
        client.prompts.label("acme/notes", "production", 1)


def test_the_site_and_the_client_fill_in_mustache_by_the_same_code():
    ours, theirs = (ROOT / path for path in ("prompts/mustache.py", "platform/countersign/prompts/mustache.py"))
    assert ours.read_bytes() == theirs.read_bytes(), "one was changed: copy it over the other"


def test_what_is_included_comes_with_it_and_is_refreshed_with_it(world, site, client_with):
    by = Actor(world.cast.alice)
    outer = actions.create_prompt(team=world.cast.team, name="outer", by=by)
    text = "{% include 'support/first reply@candidate' %}!"
    actions.create_version(prompt=outer, type="text", template=text, by=by)
    client = client_with(site, fresh_s=0)
    prompt = client.prompts.get("acme/outer@latest")
    assert prompt.render(name="Ada") == "Hello Ada!"
    (entry,) = client.prompts._cache.entries()
    assert entry.concerns(NAME) and not entry.concerns("acme/another")
    world.label(world.write("Hi {{ name }}"))
    eventually(lambda: client.prompts.get("acme/outer@latest").render(name="Ada") == "Hi Ada!")


def test_messages_stand_for_a_placeholder():
    turn = {"role": "user", "content": "{{ q }}"}
    prompt = prompt_of([{"type": "placeholder", "name": "history"}, turn])
    said = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "{{ b }}"}]
    assert prompt.render(history=said, q="why?") == [*said, {"role": "user", "content": "why?"}]
    with pytest.raises(RenderError, match="history"):
        prompt.render(q="x")


def prompt_of(template, format="jinja2", **fields):
    kind = "text" if isinstance(template, str) else "chat"
    return Prompt("acme/x", 1, kind, format, template, **fields)


@pytest.mark.parametrize(
    ("prompt", "values", "wanted"),
    [
        (prompt_of("{% for x in xs %}{{ x }},{% endfor %}"), {"xs": [1, 2]}, "1,2,"),
        (prompt_of("{{#xs}}<{{.}}>{{/xs}} {{ a }}", "mustache"), {"xs": ["a", "b"], "a": "&"}, "<a><b> &"),
        (prompt_of("{{ a }}", inputs=[{"name": "a", "type": "integer", "default": 3}]), {}, "3"),
        (prompt_of("ä 👋 {{ a }}\n"), {"a": "שלום"}, "ä 👋 שלום\n"),
        (
            prompt_of(
                "{% include 'sign@production' %}!", includes={"sign@production": "7:1"},
                included={"7:1": {"prompt": "acme/sign", "number": 1, "format": "mustache", "template": "Yours, {{who}}", "includes": {}}},
            ),
            {"who": "Ada"},
            "Yours, Ada!",
        ),
    ],
)  # fmt: skip
def test_templates_are_filled_in(prompt, values, wanted):
    assert prompt.render(**values) == wanted


@pytest.mark.parametrize(
    ("prompt", "values", "word"),
    [
        (prompt_of("{{ a }}"), {}, "'a'"),
        (prompt_of("{{a}}", "mustache"), {}, "a"),
        (prompt_of("{{ a }}", inputs=[{"name": "a", "type": "integer"}]), {"a": "3"}, "integer"),
        (prompt_of("{{ a }}", inputs=[{"name": "a", "type": "integer"}]), {"a": True}, "integer"),
        (prompt_of("{{ a }}", inputs=[{"name": "a", "enum": ["x", "y"]}]), {"a": "z"}, "'x'"),
        (prompt_of("{{ ''.__class__.__mro__ }}"), {}, "unsafe"),
        (prompt_of("{{ x.append(1) }}"), {"x": []}, "append"),
        (prompt_of("{% if %}"), {}, "can't be read"),
        (prompt_of("{% include 'other@production' %}"), {}, "other@production"),
    ],
)
def test_what_can_not_be_filled_in_says_why(prompt, values, word):
    with pytest.raises(RenderError, match=word):
        prompt.render(**values)


def test_the_command_line(world, site, key_of, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COUNTERSIGN_SITE", site)
    monkeypatch.setenv("COUNTERSIGN_KEY", key_of(world.cast.alice))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    second = world.write("Bye {{ name }}", message="Shorter.")

    def run(*arguments):
        code = main(list(arguments))
        return code, capsys.readouterr()

    assert run("prompt", "get", f"{NAME}@candidate")[1].out == "Hello {{ name }}\n"
    code, said = run("--json", "prompt", "get", f"{NAME}:2")
    assert json.loads(said.out)["digest"] == second.digest
    assert run("prompt", "render", f"{NAME}@latest", "name=Ada=1")[1].out == "Bye Ada=1\n"
    code, said = run("prompt", "render", f"{NAME}@latest")
    assert code == 2 and "name" in said.err
    assert "candidate=v1" in run("prompt", "list", "--team", "acme")[1].out
    assert "Shorter." in run("prompt", "versions", NAME)[1].out
    assert run("prompt", "label", f"{NAME}:2", "candidate", "-m", "Try it.")[0] == 0
    assert run("prompt", "get", f"{NAME}@candidate")[1].out == "Bye {{ name }}\n"
    assert run("prompt", "get", "acme/none")[0] == 1
