"""'What was production on 3 May?'"""

from datetime import UTC, datetime

import pytest

from accounts.errors import NotFound
from registry import reads
from registry.models import AliasMove


@pytest.fixture
def moved(make_asset, make_version, cast):
    """candidate: v1 on 1 May, v2 on 3 May at noon, removed on 5 May."""
    asset = make_asset("dates")
    first, second = make_version(asset), make_version(asset)
    for before, after, day, hour in ((None, first, 1, 9), (first, second, 3, 12), (second, None, 5, 9)):
        AliasMove.objects.create(
            asset=asset, name="candidate", before=before, after=after, reason="as told", request_id=7 if day == 3 else None,
            moved_at=datetime(2026, 5, day, hour, tzinfo=UTC), moved_by=cast.alice,
        )  # fmt: skip
    return asset


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_each_moment_has_its_version(moved):
    def number(text):
        version = reads.alias_at(moved, "candidate", at(text)).version
        return version and version.number

    assert number("2026-04-30") is None
    assert number("2026-05-01T09:00") == 1
    assert number("2026-05-03T11:59") == 1
    assert number("2026-05-03T12:00") == 2
    assert number("2026-05-06") is None


def test_before_the_first_move_the_first_is_said(moved):
    found = reads.alias_at(moved, "candidate", at("2026-04-01"))
    assert found.move is None and found.following.after.number == 1


def test_an_alias_that_never_was_is_not_found(moved):
    with pytest.raises(NotFound):
        reads.alias_at(moved, "production", at("2026-05-03"))
