"""The command line, as a person or a pipeline types it."""

import io
import json
import stat
import subprocess
import sys

import pytest

from countersign import addresses, cli, credentials, progress

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(site, key_of, cast, tmp_path, monkeypatch, capsys):
    """run("push", …) -> (exit code, what it printed, what it said on standard error), as Alice."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("COUNTERSIGN_KEY", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO(key_of(cast.alice) + "\n"))

    def run(*arguments):
        code = cli.main([str(one) for one in arguments])
        return code, *capsys.readouterr()

    assert run("login", site, "--key-stdin")[0] == 0
    return run


def test_signing_in_keeps_the_key_where_only_its_owner_reads(run, site):
    place = credentials.place()
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert credentials.load().site == site and len(credentials.load().trusted) == 64
    assert run("whoami")[1].startswith("alice@")
    assert run("logout")[0] == 0 and credentials.load() is None
    code, _, said = run("list")
    assert code == 2 and "countersign login" in said


def test_a_wrong_key_is_not_kept(run, site, monkeypatch):
    before = credentials.place().read_text()
    monkeypatch.setattr(sys, "stdin", io.StringIO("nonsense\n"))
    code, _, said = run("login", site, "--key-stdin")
    assert code == 1 and "login" in said and credentials.place().read_text() == before


def test_push_list_diff_pull_promote_verify(run, folder, tmp_path, site):
    code, out, _ = run(
        "push", "acme/dates", folder, "-m", "first", "--create", "--task", "text-generation", "--alias", "candidate"
    )
    assert (
        code == 0 and "acme/dates version 1, sha256:" in out and "'candidate' of acme/dates points at version 1" in out
    )
    (folder / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    (folder / "new.txt").write_text("new")
    (folder / "sub" / "notes ü.txt").unlink()
    assert run("--json", "push", "acme/dates", folder)[0] == 0
    assert [line.split()[:2] for line in run("list", "acme/dates")[1].splitlines()] == [
        ["v2", "registered"],
        ["v1", "registered"],
    ]
    assert "candidate=v1" in run("list")[1]

    code, out, _ = run("diff", "acme/dates@candidate", "acme/dates:2")
    assert code == 1
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["M", "config.json"],
        ["A", "new.txt"],
        ["D", "sub/notes"],
    ]
    code, out, _ = run("--json", "diff", "acme/dates:2", folder)
    assert code == 0 and json.loads(out)["changes"] == []

    assert run("pull", "acme/dates@candidate", tmp_path / "down")[0] == 0
    code, out, _ = run("verify", "acme/dates:1", tmp_path / "down")
    assert code == 0 and out.endswith("acme/dates version 1: verified\n")
    assert run("verify", "acme/dates:2", tmp_path / "down")[0] == 1

    code, out, _ = run("promote", "acme/dates:2", "production", "-m", "newer")
    assert code == 3 and f"{site}/requests/" in out
    code, out, said = run("promote", "acme/dates:1", "production", "--wait", "--timeout", "0")
    assert code == 3 and "waits for its reviews" in said


def test_another_signing_key_than_at_sign_in_is_not_believed(run, folder):
    run("push", "acme/dates", folder, "--create")
    kept = credentials.load()
    credentials.save(credentials.Credentials(kept.site, kept.key, "0" * 64))
    code, _, said = run("verify", "acme/dates:1")
    assert code == 2 and "signs with another key" in said


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["pull", "nonsense"], 2, "no address"),
        (["push", "acme/dates:3", "."], 2, "makes a new version"),
        (["push", "acme/none", "."], 1, "no model"),
        (["push", "acme/none", "no-such-folder"], 1, "no-such-folder"),
        (["promote", "acme/dates", "production"], 2, "which version"),
        (["list", "datasets/acme/none"], 1, "no dataset"),
    ],
)
def test_a_mistake_is_one_clear_line_and_its_exit_code(run, arguments, code, text, tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "a.txt").write_text("a")
    monkeypatch.chdir(tmp_path / "work")
    got, out, said = run(*arguments)
    assert (got, out) == (code, "") and said.startswith("error: ") and text in said and "Traceback" not in said


def test_the_environment_goes_before_the_file(run, monkeypatch):
    monkeypatch.setenv("COUNTERSIGN_SITE", "https://other.example")
    monkeypatch.setenv("COUNTERSIGN_KEY", "k")
    assert credentials.load() == credentials.Credentials("https://other.example", "k")


def test_addresses_are_read_as_they_are_typed():
    parse = addresses.parse
    assert parse("acme/x") == addresses.Address("model", "acme/x", "")
    assert parse("datasets/acme/x@production") == addresses.Address("dataset", "acme/x", "production")
    assert parse("models/acme/x:v3") == parse("acme/x:3") == addresses.Address("model", "acme/x", 3)
    for wrong in ("", "x", "a/b/c", "acme/x:", "acme/x@", "acme/x:one", "acme/x@a:1"):
        with pytest.raises(ValueError, match="no address"):
            parse(wrong)


def test_progress_says_what_has_gone_how_fast_and_how_long_still():
    assert progress.line(120_000_000, 1_200_000_000, 3) == "120.0 MB of 1.2 GB (10 %), 40.0 MB/s, 27 s left"
    assert progress.line(5, 0, 0) == "5 B"


def test_the_program_starts_without_the_server():
    done = subprocess.run(
        [sys.executable, "-c", "import sys, countersign.cli; assert not {'django', 'torch', 'ray'} & set(sys.modules)"],
        check=False,
    )
    assert done.returncode == 0
