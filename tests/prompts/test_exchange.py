"""Prompts as files: what is written is read back to the letter, hostile files are refused, imports are all or nothing."""

import io
import json
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.errors import Invalid
from governance.ledger.models import AuditEvent
from prompts import actions
from prompts.exchange import Unreadable, langfuse, mlflow, uploads, yaml_files
from prompts.exports import download, exported_prompts, shown
from prompts.models import Prompt, PromptTag, PromptVersion

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@pytest.fixture
def greeting(cast, actor):
    prompt = actions.create_prompt(
        team=cast.team, name="support/greeting", description="Says hi.", by=actor(cast.alice)
    )
    for text in ("Hi {{ name }}", "Hello {{ name }}\nand welcome.\n"):
        actions.create_version(
            prompt=prompt, type="text", template=text, parameters={"temperature": 0}, by=actor(cast.alice)
        )
    PromptTag.objects.create(prompt=prompt, key="language", value="en")
    return prompt


def files_of(cast, actor, **asked):
    rows = shown(list(exported_prompts(actor(cast.alice), cast.team)), "yaml", **asked)
    return {row["path"]: row["text"] for row in rows}


def take(cast, actor, files, **more):
    return actions.import_entries(team=cast.team, entries=uploads.read_files(files), by=actor(cast.alice), **more)


@settings(max_examples=80, deadline=None)
@given(
    TEXT,
    st.lists(st.tuples(st.sampled_from(["user", "system"]), TEXT), min_size=1, max_size=4),
    st.dictionaries(TEXT, JSON, max_size=3),
)
def test_what_is_written_is_read_back_to_the_letter(description, messages, parameters):
    template = [{"role": role, "content": content} for role, content in messages]
    version = PromptVersion(
        prompt=Prompt(name="a/b c", description=description), number=3, type="chat", template=template, parameters=parameters,
        tools=[{"type": "function", "function": {"name": "x"}}],
    )  # fmt: skip
    entry = yaml_files.read("a/b c.yaml", yaml_files.write(version, tags={"k": "1", "w": ""}))
    assert entry.fields["template"] == template
    assert (entry.fields["parameters"] or {}) == parameters
    assert entry.fields["tools"] == version.tools and (entry.name, entry.base) == ("a/b c", 3)
    assert (entry.description, entry.tags) == (description, {"k": "1", "w": ""})


def test_a_long_text_is_a_block_that_git_compares_by_line(greeting):
    text = yaml_files.write(greeting.versions.first(), tags={})
    assert "template: |\n  Hello {{ name }}\n  and welcome.\n" in text


@pytest.mark.django_db
def test_an_untouched_export_changes_nothing(cast, actor, greeting):
    files = files_of(cast, actor)
    assert list(files) == ["support/greeting.yaml"]
    before = AuditEvent.objects.count()
    (outcome,) = take(cast, actor, files)
    assert (outcome.done, outcome.version) == ("unchanged", 2)
    assert AuditEvent.objects.count() == before


@pytest.mark.django_db
def test_an_edited_file_is_the_next_version(cast, actor, greeting):
    files = {path: text.replace("Hello", "Good day") for path, text in files_of(cast, actor).items()}
    (outcome,) = take(cast, actor, files, message="politer")
    version = greeting.versions.first()
    assert (outcome.done, outcome.version, version.number) == ("new version", 3, 3)
    assert (version.message, version.parent.number) == ("politer", 2)
    assert version.template == "Good day {{ name }}\nand welcome.\n"


@pytest.mark.django_db
def test_a_file_that_was_written_before_somebody_elses_change_is_refused(cast, actor, greeting):
    files = files_of(cast, actor)
    actions.create_version(prompt=greeting, type="text", template="Theirs", by=actor(cast.alice))
    (behind,) = take(cast, actor, files)
    assert (behind.done, behind.version) == ("behind", 2)
    with pytest.raises(Invalid) as caught:
        take(cast, actor, {path: text.replace("Hello", "Mine") for path, text in files.items()})
    assert "version 2" in caught.value.errors["support/greeting.yaml"][0]
    assert greeting.versions.count() == 3


@pytest.mark.django_db
def test_a_push_to_a_branch_leaves_main_as_it_is_and_goes_on_there(cast, actor, greeting):
    files = {path: text.replace("Hello", "Ahoy") for path, text in files_of(cast, actor).items()}
    (first,) = take(cast, actor, files, branch="sea")
    version = greeting.versions.get(number=first.version)
    assert (version.branch, version.parent.number, greeting.branches.get().head_id) == ("sea", 2, version.pk)
    (again,) = take(cast, actor, files, branch="sea")
    assert (again.done, again.version) == ("unchanged", 3)
    assert shown(list(exported_prompts(actor(cast.alice), cast.team)), "yaml")[0]["version"] == 2


@pytest.mark.django_db
def test_one_wrong_file_keeps_all_of_them_out(cast, actor):
    files = {"a.yaml": "prompt: a\ntemplate: fine\n", "b.yaml": "prompt: b\ntemplate: 'not {{ fine'\n"}
    with pytest.raises(Invalid) as caught:
        take(cast, actor, files)
    assert list(caught.value.errors) == ["b.yaml"] and "line 1" in caught.value.errors["b.yaml"][0]
    assert not Prompt.objects.exists()


@pytest.mark.django_db
def test_a_dry_run_says_what_it_would_do_and_does_nothing(cast, actor):
    (outcome,) = take(cast, actor, {"a.yaml": "prompt: a\ntemplate: hi\n"}, dry_run=True)
    assert (outcome.done, outcome.version) == ("created", 1)
    assert not Prompt.objects.exists() and not AuditEvent.objects.filter(action="prompt.created").exists()
    fine, wrong = take(
        cast, actor, {"a.yaml": "prompt: a\ntemplate: hi\n", "b.yaml": "prompt: b\ntemplate: '{{'\n"}, dry_run=True
    )
    assert (fine.done, wrong.done, wrong.where) == ("created", "refused", "b.yaml") and wrong.problems


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("a.yaml", "prompt: [", "line 1"),
        ("a.yaml", "- a", "name: value"),
        ("a.yaml", "prompt: a\ntemplate: &x [1]\ninputs: *x", "aliases"),
        ("a.yaml", "prompt: ../../etc/passwd\ntemplate: x", "belongs in"),
        ("b.yaml", "prompt: a\ntemplate: x", "belongs in a.yaml"),
        ("a.yaml", "prompt: a", "template: This is missing"),
        ("a.yaml", "prompt: a\ntemplate: x\nversion: -1", "version"),
        ("a.yaml", "prompt: a\ntemplate: x\ntags: {a: 1}", "tags"),
        ("a.yaml", "prompt: a\ntemplate: x\nlabels: [production]", "labels"),
        ("a.yaml", "!!python/object/apply:os.system ['true']", "not YAML"),
        ("a.yaml", "[" * 5_000, "YAML"),
    ],
)
def test_a_file_that_cannot_be_understood_says_where(path, text, said):
    with pytest.raises(Unreadable, match=said):
        yaml_files.read(path, text)


def zipped(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.zip", b"PK not really", "no zip"),
        ("x.zip", zipped({"a.yaml": b"\xff"}), "UTF-8"),
        ("x.zip", zipped({"a.yaml": bytes(40 << 20)}), "when unpacked"),
        ("x.zip", zipped({"../a.yaml": "prompt: a\ntemplate: x"}), "belongs in"),
        ("x.json", b"{", "not JSON"),
        ("x.json", b"[1]", "Langfuse"),
        ("x.json", b'[{"name": "a", "prompt": "x", "config": 3}]', "config"),
        (
            "x.json",
            b'{"registered_model": {"name": "m"}, "model_versions": [{"version": "1", "tags": {}}]}',
            "no such tag",
        ),
        ("x.exe", b"MZ", "Upload"),
    ],
)
def test_a_hostile_upload_is_refused(name, content, said):
    with pytest.raises(Unreadable, match=said):
        uploads.read_upload(name, content)


@pytest.mark.django_db
def test_what_langfuse_exports_comes_in_with_its_history(cast, actor):
    rows = [
        {"name": "qa/answer", "version": number, "type": "text", "prompt": text, "config": {"temperature": 0.1},
         "labels": ["latest", "candidate", "production"] if number == 2 else [], "tags": ["qa"], "commitMessage": f"change {number}"}
        for number, text in ((2, "Answer {{question}} briefly"), (1, "Answer {{question}}"))
    ]  # fmt: skip
    entries = langfuse.read("export.json", rows)
    first, second = actions.import_entries(team=cast.team, entries=entries, by=actor(cast.alice))
    versions = {version.number: version for version in PromptVersion.objects.all()}
    assert [versions[n].template for n in (1, 2)] == ["Answer {{question}}", "Answer {{question}} briefly"]
    assert versions[2].message == "change 2" and versions[2].format == "mustache"
    assert (second.moved, list(second.asks)) == (["candidate"], ["production"])
    again = actions.import_entries(team=cast.team, entries=entries, by=actor(cast.alice))
    assert [one.done for one in again] == ["unchanged", "unchanged"]
    assert first.prompt == "acme/qa/answer"


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["langfuse", "mlflow"])
def test_what_goes_out_for_another_product_comes_back_the_same(cast, actor, greeting, kind):
    before = [(v.number, v.template, v.parameters) for v in greeting.versions.order_by("number")]
    document = json.loads(b"".join(download(exported_prompts(actor(cast.alice), cast.team), kind, every=True)))
    read = {"langfuse": langfuse, "mlflow": mlflow}[kind].read
    actions.update_prompt(prompt=greeting, description="", by=actor(cast.alice))
    Prompt.objects.filter(pk=greeting.pk).update(deleted_at=greeting.created_at)
    actions.import_entries(team=cast.team, entries=read("x", document), by=actor(cast.alice))
    made = Prompt.objects.get(name="support/greeting", deleted_at=None)
    assert [(v.number, v.template, v.parameters) for v in made.versions.order_by("number")] == before


@pytest.mark.django_db
def test_the_rest_api_gives_and_takes_files(cast, api, greeting):
    answer = api(cast.alice).get("/api/v1/prompts/acme/export").json()
    (row,) = answer["results"]
    assert (row["path"], row["version"], answer["next"]) == ("support/greeting.yaml", 2, None)
    body = {"files": [{"path": row["path"], "text": row["text"].replace("Hello", "Ahoy")}], "message": "at sea"}
    (outcome,) = api(cast.alice).post("/api/v1/prompts/acme/import", body, format="json").json()["results"]
    assert (outcome["done"], outcome["version"]) == ("new version", 3)
    assert AuditEvent.objects.filter(action="prompts.exported").count() == 1
    assert api(cast.mallory).get("/api/v1/prompts/acme/export").status_code == 404
    assert api(cast.victor).post("/api/v1/prompts/acme/import", body, format="json").status_code == 403


@pytest.mark.django_db
def test_an_export_costs_the_same_queries_however_many_prompts(
    cast, actor, api, greeting, django_assert_max_num_queries
):
    for number in range(30):
        prompt = actions.create_prompt(team=cast.team, name=f"p{number}", by=actor(cast.alice))
        actions.create_version(prompt=prompt, type="text", template="x", by=actor(cast.alice))
    rows = list(exported_prompts(actor(cast.alice), cast.team))
    with django_assert_max_num_queries(3):
        assert len(shown(rows, "mlflow", every=True)) == 31


@pytest.mark.django_db
def test_the_page_previews_and_imports_a_zip(cast, client_of):
    client = client_of(cast.alice)
    upload = zipped({"a.yaml": "prompt: a\ntemplate: hi\n", "README.md": "not a prompt"})
    shown_first = client.post("/prompts/import", {"preview": "1", "file": _named(upload)})
    assert "created" in shown_first.content.decode() and not Prompt.objects.exists()
    assert client.post("/prompts/import", {"import": "1", "file": _named(upload)}).status_code == 302
    assert Prompt.objects.get().name == "a"
    assert client.get("/prompts/files").status_code == 200
    exported = client.get("/prompts/export?as=yaml")
    with zipfile.ZipFile(io.BytesIO(b"".join(exported.streaming_content))) as archive:
        assert archive.namelist() == ["a.yaml"]


def _named(content):
    file = io.BytesIO(content)
    file.name = "prompts.zip"
    return file
