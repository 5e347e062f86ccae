"""What Langfuse's documentation shows for prompts, by its unmodified SDK against the live site."""

import pytest

from accounts.access import Actor
from accounts.actions import create_key
from governance.ledger.models import AuditEvent
from governance.models import ApprovalRequest
from prompts.models import Prompt, PromptUse, PromptVersion

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_key_is_checked_and_a_team_is_its_project(langfuse, langfuse_process, site, cast):
    assert langfuse("auth") is True and langfuse("project") == "acme"
    langfuse_process.call("use", site, "cskwrong", "cs_cskwrong_x")
    status, name, text = langfuse_process.call("refused", "x")[0]
    assert (status, name) == (401, "UnauthorizedError") and "Settings, API keys" in text


def test_the_secret_alone_is_taken_as_the_secret_key(langfuse_process, site, cast):
    row, key = create_key(name="langfuse", team=cast.team, by=Actor(cast.alice))
    langfuse_process.call("use", site, row.key_id, key.removeprefix(f"cs_{row.key_id}_"))
    assert langfuse_process.call("project") == "acme"


def test_text_prompts(langfuse, cast):
    found = langfuse("text")
    made, got = found["made"], found["got"]
    assert (made["kind"], made["version"], made["labels"]) == ("TextPromptClient", 1, ["staging-eu", "latest"])
    assert got == made and got["tags"] == ["critics", "movies"] and got["commit_message"] == "first"
    assert got["config"] == {
        "model": "acme-chat", "temperature": 0.7, "supported_languages": ["en", "fr"], "nested": {"a": [1, None]},
    }  # fmt: skip
    assert found["compiled"] == "As a expert movie critic, do you like Dune 2?"
    assert found["variables"] == ["criticLevel", "movie"] and "{criticLevel}" in found["langchain"]
    assert found["by_version"] == got and found["latest"] == 1
    row = PromptVersion.objects.get()
    assert (row.format, row.model, row.created_by) == ("mustache", "acme-chat", cast.alice)
    assert row.variables == ["criticLevel", "movie"] and "model" not in row.parameters
    assert AuditEvent.objects.filter(action="prompt_version.created").count() == 1


def test_chat_prompts_with_placeholders(langfuse):
    found = langfuse("chat")
    assert found["got"]["prompt"][1] == {"type": "placeholder", "name": "chat_history"}
    assert [message["content"] for message in found["compiled"]] == [
        "You are an stern movie critic", "Hi Alien", "Hello", "Do you like Alien?",
    ]  # fmt: skip
    assert found["open"][1] == {"type": "placeholder", "name": "chat_history"}


def test_versions_labels_and_what_is_refused(langfuse):
    found = langfuse("versions")
    assert found["before"] == 2 and found["patched"] == [3, ["latest", "mine", "other"]]
    assert found["after"] == ["latest", "mine", "other", "third"] and found["second"] == []
    assert [(status, name) for status, name, _ in found["errors"]] == [
        (400, "InvalidRequestError"), (400, "InvalidRequestError"), (400, "InvalidRequestError"),
        (404, "LangfuseNotFoundError"), (404, "LangfuseNotFoundError"), (404, "LangfuseNotFoundError"),
        (400, "InvalidRequestError"), (400, "InvalidRequestError"), (400, "InvalidRequestError"),
    ]  # fmt: skip
    assert "latest" in found["errors"][0][2] and "config" in found["errors"][6][2] and "open" in found["errors"][8][2]
    assert not Prompt.objects.filter(name__in=["cfg", "bad"]).exists()


def test_folders_and_every_alphabet(langfuse):
    for name, said in langfuse("names").items():
        assert said == f"in {name} y l,latest,m"


def test_the_list_its_filters_and_pages(langfuse):
    found = langfuse("listing")
    assert found["rows"][0] == ["ls-0", "text", [1, 2], ["latest"], ["ls", "n0"]] and len(found["rows"]) == 5
    assert (
        found["meta"] == {"page": 1, "limit": 50, "totalItems": 5, "totalPages": 1} or found["meta"]["total_items"] == 5
    )
    assert found["pages"] == [["ls-0", "ls-1"], ["ls-2", "ls-3"], ["ls-4"], []]
    assert found["name"] == ["ls-3"] and found["label"] == [["ls-1", [1]]]
    assert found["latest"] == [[2], [1], [1], [1], [1]] and found["filter"] == [["ls-0", [2]]]
    assert [status for status, _, _ in found["errors"]] == [400, 400]


def test_the_cache_of_the_client_and_its_fallback(langfuse):
    found = langfuse("cache", "kept")
    assert (found["first"], found["fresh"], found["stale"]) == ("one", "two", "one")
    assert found["fallback"]["is_fallback"] and found["chat"]["kind"] == "ChatPromptClient"


def test_versions_and_prompts_are_deleted(langfuse):
    found = langfuse("delete")
    assert (found["after_label"], found["after_version"], found["rows"]) == ([1, 2], [1], 0)
    assert found["again"][:2] == [404, "LangfuseNotFoundError"]


def test_a_protected_label_asks_and_the_error_says_where(langfuse, site):
    found = langfuse("protected", "guarded")
    request = ApprovalRequest.objects.get()
    for status, name, text in (found["made"], found["again"]):
        assert (status, name) == (403, "ForbiddenError") and f"{site}/requests/{request.pk}" in text
    assert "Version 1 of 'guarded' was created" in found["made"][2]
    assert found["labels"] == ["eu", "latest"] and found["version"] == 1


def test_who_may_not_is_refused(langfuse, langfuse_process, site, cast):
    langfuse("text")
    statuses = [status for status, _, _ in langfuse(cast.victor, "refused", "movie-critic")]
    assert statuses == [200, 403, 403, 403]
    row, key = create_key(name="langfuse", by=Actor(cast.mallory))
    langfuse_process.call("use", site, row.key_id, key)
    assert langfuse_process.call("refused", "acme/movie-critic")[0][:2] == [404, "LangfuseNotFoundError"]


def test_a_key_of_several_teams_names_the_team(langfuse_process, site, cast):
    row, key = create_key(name="wide", by=Actor(cast.alice))
    langfuse_process.call("use", site, row.key_id, key)
    assert langfuse_process.call("twice", "acme/wide") == [1, 2, 3, 4]
    assert langfuse_process.call("look", "acme/wide", "latest")["name"] == "acme/wide"


def test_fetches_are_counted(langfuse, cast):
    from prompts import uses

    langfuse("text")
    uses.flush()
    assert PromptUse.objects.filter(label="staging-eu", consumer=cast.alice).exists()


def test_what_is_not_served_says_so(langfuse):
    assert langfuse("not_served")[:2] == [404, "LangfuseNotFoundError"]


def test_references_are_includes(langfuse):
    found = langfuse("references")
    assert found["resolved"] == "Be stern, A. Answer: B" and found["pinned"] == "Be kind, {{name}}.!"
    assert found["chat"] == [{"type": "message", "role": "system", "content": "Be stern, {{name}}."}]
    assert found["raw"] == "@@@langfusePrompt:name=base/tone|label=eu@@@ Answer: {{q}}"
    assert found["graph"]["root"]["name"] == "whole"
    ((below,),) = found["graph"]["dependencies"].values()
    assert (below["name"], below["version"]) == ("base/tone", 2)
    assert found["missing"][0] == 400 and "none" in found["missing"][2]
    assert PromptVersion.objects.filter(template="{{> base/tone@eu}} Answer: {{q}}").exists()
