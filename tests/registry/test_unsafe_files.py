"""What can run code, what was not scanned and what is not here stays out of protected stages, whatever the policy leaves out."""

import pickle

import pytest

from accounts.errors import Conflict
from governance import policies
from governance.actions import deposit_evidence
from governance.rules import InvalidRules, check_sense, parse
from home import approvals
from registry import actions
from registry.actions.aliases import describe_move
from registry.tasks import scan
from tests.registry.conftest import model_files

REVIEWS = {"count": 1, "role": "reviewer"}


@pytest.fixture
def versions(scans_required, make_asset, make_version):
    """(a version of safetensors, one with a pickle), not scanned yet."""
    asset = make_asset()
    return make_version(asset), make_version(asset, model_files(**{"extra.pkl": pickle.dumps({"a": 1})}))


def lines(version, slot="production", terms=None, checks=()):
    rules = parse(list(checks), REVIEWS, terms) if terms is not None or checks else None
    return policies.evaluate(describe_move(version.asset, slot, version, None), rules=rules).checks


def test_a_version_waits_for_its_scan_and_passes_when_it_is_clean(versions):
    good, _ = versions
    (line,) = lines(good)
    assert (line.title, line.state) == ("Built in: no unsafe files", "waiting")
    scan(good.pk)
    (line,) = lines(good)
    assert line.state == "passed" and line.evidence_digest


def test_a_version_with_a_pickle_fails_and_the_line_names_the_file(versions):
    _, bad = versions
    scan(bad.pk)
    (line,) = lines(bad)
    assert line.state == "failed" and "extra.pkl" in line.detail


def test_a_failed_scan_is_no_clearance(versions, cast, actor):
    good, _ = versions
    deposit_evidence(
        team=cast.team, kind="scan", subject_digest=good.digest, label="x", by=actor(cast.alice),
        payload={"verdict": "error", "findings": [{"path": "a", "text": "the scan failed"}], "scanner": "s"},
    )  # fmt: skip
    assert lines(good)[0].state == "waiting"


def test_a_policy_may_say_that_such_files_pass_or_ask_for_the_scan_itself(versions):
    _, bad = versions
    assert lines(bad, terms={"unsafe_files": "allowed"}) == []
    assert parse([], REVIEWS, {"unsafe_files": "allowed"}).sentences[-1] == "Files that can run code may pass"
    (own,) = lines(bad, checks=[{"type": "scan"}])
    assert own.title.startswith("Scan finds")


def test_what_has_no_files_can_not_let_them_pass():
    with pytest.raises(InvalidRules, match="no files"):
        check_sense(parse([], REVIEWS, {"unsafe_files": "allowed"}), kind="prompt")
    check_sense(parse([], REVIEWS, {"unsafe_files": "allowed"}), kind="dataset")


def test_an_approval_does_not_move_an_unsafe_version_to_production(versions, cast, actor):
    good, bad = versions
    scan(bad.pk)
    scan(good.pk)
    request = actions.request_move(version=bad, slot="production", by=actor(cast.alice))
    with pytest.raises(Conflict, match=r"extra\.pkl"):
        approvals.decide(request=request, verdict="approve", comment="", by=actor(cast.bob))
    request.refresh_from_db()
    assert request.state == "open" and not bad.asset.aliases.exists()
    request = actions.request_move(version=good, slot="production", by=actor(cast.alice))
    approvals.decide(request=request, verdict="approve", comment="", by=actor(cast.bob))
    assert good.asset.aliases.get(name="production").version == good


def test_a_free_alias_takes_any_version(versions, cast, actor):
    _, bad = versions
    assert actions.move_alias(asset=bad.asset, name="candidate", version=bad, by=actor(cast.alice)).version == bad


def test_a_deployment_asks_again_what_a_newer_scan_found(versions, cast, actor):
    from governance import gate

    good, _ = versions
    scan(good.pk)
    request = actions.request_move(version=good, slot="production", by=actor(cast.alice))
    approvals.decide(request=request, verdict="approve", comment="", by=actor(cast.bob))
    asked = {
        "team": cast.team, "kind": "model", "asset_id": good.asset_id, "asset_label": str(good.asset),
        "version_number": good.number, "digest": good.digest, "stage": "production",
    }  # fmt: skip
    assert gate.require_stage(**asked) is not None
    deposit_evidence(
        team=cast.team, kind="scan", subject_digest=good.digest, label="x", by=actor(cast.alice),
        payload={"verdict": "unsafe", "findings": [{"path": "a", "text": "calls os.system"}], "scanner": "newer"},
    )  # fmt: skip
    with pytest.raises(Conflict, match=r"calls os\.system"):
        gate.require_stage(**asked)


def test_what_is_not_here_takes_no_protected_stage_even_with_broken_glass(make_asset, cast, actor):
    asset = make_asset()
    version = actions.register_elsewhere(asset=asset, source="s3://there/m", tags={}, facts={}, by=actor(cast.alice))
    actions.move_alias(asset=asset, name="candidate", version=version, by=actor(cast.alice))
    with pytest.raises(Conflict, match="holds no bytes here"):
        actions.request_move(version=version, slot="production", by=actor(cast.alice))
    with pytest.raises(Conflict, match="holds no bytes here"):
        actions.break_glass(version=version, slot="production", reason="now", by=actor(cast.admin))
