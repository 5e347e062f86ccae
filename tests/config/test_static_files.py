"""What a browser loads: named by content, compressed, kept for a year, and light enough."""

import gzip
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.files.storage import storages
from django.core.management import call_command
from django.http import HttpResponse
from django.test import RequestFactory, override_settings
from whitenoise.middleware import WhiteNoiseMiddleware

from accounts.access import Actor
from config.static_files import Storage
from prompts import actions

IMPORTS = re.compile(r"""(?:from|import)\s*\(?["'](\.[^"']+)["']""")


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """The folder that `config.up` would serve, while Django names files as they are named in it."""
    folder = tmp_path_factory.mktemp("static")
    with override_settings(STATIC_ROOT=folder, WHITENOISE_USE_FINDERS=False):
        storages._storages.clear()
        staticfiles_storage._wrapped = storages.create_storage(settings.STORAGES["staticfiles"])
        call_command("collectstatic", interactive=False, verbosity=0)
        yield folder
    storages._storages.clear()
    staticfiles_storage._wrapped = storages.create_storage(settings.STORAGES["staticfiles"])


def loaded(page):
    """The addresses of what a page loads by itself."""
    tags = re.findall(r"<(?:script|link)\b[^>]*>", page)
    found = {match[1] for tag in tags if (match := re.search(r'(?:src|href)="(/static/[^"]+)"', tag))}
    return found | {match.split("#")[0] for match in re.findall(r'<use href="(/static/[^"]+)"', page)}


def size(folder, address):
    path = folder / address.removeprefix("/static/")
    return len(gzip.compress(path.read_bytes(), 9))


def imported(folder, address):
    """The modules that a module needs, however far away."""
    found, waiting = set(), [folder / address.removeprefix("/static/")]
    while waiting:
        path = waiting.pop()
        code = re.sub(r"import\([^)]*\)", "", path.read_text())  # these are fetched when they are needed
        for name in IMPORTS.findall(code):
            module = (path.parent / name).resolve()
            if module not in found:
                found.add(module)
                waiting.append(module)
    return {f"/static/{module.relative_to(folder.resolve()).as_posix()}" for module in found}


@pytest.fixture
def editor(cast, client_of, collected):
    prompt = actions.create_prompt(team=cast.team, name="greeting", by=Actor(cast.alice))
    actions.create_version(prompt=prompt, type="text", template="Hello {{ name }}", by=Actor(cast.alice))
    return client_of(cast.alice).get("/prompts/acme/greeting/versions/new").content.decode()


@pytest.mark.django_db
def test_the_editor_weighs_less_than_300_kb_with_all_that_it_loads(editor, collected):
    main = re.search(r'<script type="module" src="([^"]+)"', editor)[1]
    addresses = loaded(editor) | imported(collected, main)
    sizes = {address: size(collected, address) for address in addresses} | {"page": len(gzip.compress(editor.encode()))}
    assert any("codemirror" in address for address in sizes)
    assert sum(sizes.values()) < 300_000, sorted(sizes.items(), key=lambda row: -row[1])[:8]


@pytest.mark.django_db
def test_the_editors_modules_are_fetched_side_by_side(editor, collected):
    main = re.search(r'<script type="module" src="([^"]+)"', editor)[1]
    assert imported(collected, main) <= loaded(editor)


@pytest.mark.django_db
def test_no_script_stands_in_the_editors_page(cast, client_of):
    actions.create_prompt(team=cast.team, name="greeting", by=Actor(cast.alice))
    answer = client_of(cast.alice).get("/prompts/acme/greeting/versions/new")
    assert "script-src 'self';" in answer["Content-Security-Policy"]
    assert "importmap" not in answer.content.decode()


def test_files_are_served_compressed_and_for_a_year(collected):
    middleware = WhiteNoiseMiddleware(lambda request: HttpResponse(status=404))
    for name in ("vendor/tabler.min.css", "vendor/codemirror.js", "js/editor/main.js", "css/app.css"):
        address = staticfiles_storage.url(name)
        assert address != f"/static/{name}"
        answer = middleware(RequestFactory().get(address, headers={"Accept-Encoding": "gzip"}))
        assert answer.status_code == 200
        assert answer["Content-Encoding"] == "gzip"
        assert answer["Cache-Control"] == "max-age=315360000, public, immutable"


def test_before_they_are_collected_files_go_by_their_own_names(tmp_path):
    assert Storage(location=tmp_path).url("css/app.css") == "/static/css/app.css"


def test_what_comes_from_npm_is_there():
    made = {path.name for path in Path(settings.ROOT / "node_modules/.vendor").iterdir()}
    assert {"codemirror.js", "codemirror-chunk.js", "tabler.min.css", "echarts.min.js"} <= made
