"""`countersign prompt test`: a pull request's texts are tested before they are versions."""

from xml.etree import ElementTree

import pytest

from countersign.cli import main
from countersign.prompts import checking
from prompt_tests.models import SuiteRun
from tests.countersign.conftest import client_for, key_of, site

__all__ = ["client_for", "key_of", "site"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def run(site, key_of, cast, testing, tmp_path, monkeypatch, capsys):
    """run() -> exit code and what was printed. While the command waits, the worker's part is done here."""
    monkeypatch.setenv("COUNTERSIGN_SITE", site)
    monkeypatch.setenv("COUNTERSIGN_KEY", key_of(cast.alice))
    monkeypatch.setattr(checking.time, "sleep", lambda seconds: testing.finish(SuiteRun.objects.latest("id")))

    def run(*more):
        code = main(["prompt", "test", "acme", str(tmp_path), *more])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def write(tmp_path, template):
    folder = tmp_path / "support"
    folder.mkdir(exist_ok=True)
    text = f"prompt: support/reply\nversion: 1\nmodel: acme/echo\ntemplate: {template}\n"
    (folder / "reply.yaml").write_text(text)


def test_a_changed_text_is_green_or_red_and_no_version_is_made(run, testing, tmp_path):
    testing.suite(cases=[testing.case("hello", {"type": "contains", "value": "HELLO"}, name="greets")])
    write(tmp_path, "please say {{ word }}")
    code, printed = run("--junit", str(tmp_path / "r.xml"))
    assert code == 0 and "green" in printed and "1 of 1 passed" in printed
    testing.stand.answer = lambda body: "no"
    code, printed = run("--junit", str(tmp_path / "r.xml"))
    assert code == 1 and "red" in printed and "greets (acme/echo)" in printed and "HELLO" in printed
    (failure,) = ElementTree.parse(tmp_path / "r.xml").getroot().iter("failure")
    assert failure.text == "no"
    assert testing.prompt.versions.count() == 1


def test_what_does_not_differ_is_not_tested_and_what_has_no_tests_says_so(run, testing, tmp_path):
    write(tmp_path, "say {{ word }}")
    assert run() == (0, "No file differs from the site: nothing to test.\n")
    write(tmp_path, "say {{ word }} now")
    code, printed = run()
    assert code == 0 and "untested" in printed and "no tests yet" in printed
    (tmp_path / "fresh.yaml").write_text("prompt: fresh\ntemplate: x\n")
    assert "It is new on the site" in run()[1]


def test_a_text_that_cannot_be_read_fails_before_anything_is_asked(run, testing, tmp_path):
    testing.suite(cases=[testing.case("hello", {"type": "contains", "value": "HELLO"})])
    write(tmp_path, "'say {{ word'")
    code, printed = run()
    assert code == 1 and "support/reply.yaml: template: line 1" in printed and not testing.stand.bodies
