"""Prompts in a git working tree: pulled, changed, pushed back; what isn't committed is never overwritten."""

import subprocess

import pytest

from accounts.access import Actor
from countersign.cli import main
from countersign.prompts import working_tree
from prompts import actions
from prompts.models import Prompt

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def greeting(cast, transactional_db):
    by = Actor(cast.alice)
    prompt = actions.create_prompt(team=cast.team, name="support/first reply", by=by)
    actions.create_version(prompt=prompt, type="text", template="Hello {{ name }}\n", by=by)
    return prompt


@pytest.fixture
def tree(tmp_path):
    """tree(*arguments) runs git in it."""
    place = tmp_path / "prompts"
    place.mkdir()

    def git(*arguments):
        named = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        subprocess.run(["git", "-C", str(place), *named, *arguments], check=True, capture_output=True)

    git("init")
    git.place, git.file = place, place / "support" / "first reply.yaml"
    git.commit = lambda: (git("add", "-A"), git("commit", "-m", "x"))
    return git


@pytest.fixture
def run(site, key_of, cast, greeting, tree, monkeypatch, capsys):
    """run('pull', …) -> exit code and what was printed."""
    monkeypatch.setenv("COUNTERSIGN_SITE", site)
    monkeypatch.setenv("COUNTERSIGN_KEY", key_of(cast.alice))

    def run(verb, *more):
        code = main(["prompt", verb, "acme", str(tree.place), *more])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def test_a_change_in_the_tree_becomes_a_version_and_the_file_says_so(run, tree, greeting):
    assert run("pull")[0] == 0
    tree.commit()
    assert run("diff") == (0, "Nothing differs from the site.\n")
    tree.file.write_text(tree.file.read_text().replace("Hello", "Good day"))
    code, printed = run("diff")
    assert (code, printed.split()[:2]) == (1, ["new", "version"])
    assert run("push", "--dry-run")[0] == 0 and greeting.versions.count() == 1
    assert run("push", "-m", "politer")[0] == 0
    version = greeting.versions.first()
    assert (version.number, version.message, version.template) == (2, "politer", "Good day {{ name }}\n")
    assert "\nversion: 2\n" in tree.file.read_text()
    assert run("push") == (0, "Nothing differs from the site.\n") and greeting.versions.count() == 2


def test_what_is_not_committed_is_not_overwritten(run, tree, greeting, cast):
    run("pull")
    tree.commit()
    mine = tree.file.read_text().replace("Hello", "Mine:")
    tree.file.write_text(mine)
    actions.create_version(prompt=greeting, type="text", template="Theirs", by=Actor(cast.alice))
    code, printed = run("pull")
    assert code == 1 and "not committed" in printed and tree.file.read_text() == mine
    code, printed = run("push")
    assert code == 1 and "version 2" in printed and greeting.versions.count() == 2
    tree.commit()
    assert run("pull")[0] == 0 and "Theirs" in tree.file.read_text()


def test_one_wrong_file_pushes_nothing_and_says_line_and_column(run, tree):
    (tree.place / "fine.yaml").write_text("prompt: fine\ntemplate: x\n")
    (tree.place / "wrong.yaml").write_text("prompt: wrong\ntemplate: |\n  a\n  {{ b }\n")
    code, printed = run("push")
    assert code == 1 and "wrong.yaml: template: line 2" in printed and "Nothing was pushed" in printed
    assert not Prompt.objects.filter(name="fine").exists()


def test_a_prompt_that_is_gone_is_removed_on_request(run, tree, greeting, cast):
    run("pull")
    tree.commit()
    actions.delete_prompt(prompt=greeting, by=Actor(cast.alice))
    run("pull")
    assert tree.file.exists()
    assert run("pull", "--prune")[0] == 0 and not tree.file.exists()


def test_a_folder_without_prompts_says_what_one_is(run):
    code, printed = run("push")
    assert code == 2 and "prompt: <name>" in printed


@pytest.mark.parametrize("path", ["../x.yaml", "/etc/x.yaml", "a/../../x.yaml", "", "c:\\x.yaml", "link/x.yaml"])
def test_a_site_cannot_name_a_file_outside_the_folder(tmp_path, path):
    (tmp_path / "link").symlink_to("/")
    with pytest.raises(ValueError, match=r"below|leads out"):
        working_tree.place(tmp_path, path)
