from types import SimpleNamespace

import pytest

from accounts.access import Actor
from accounts.actions import grant_role
from accounts.roles import Role
from governance import actions
from governance.moves import Move


@pytest.fixture
def governance(cast):
    """Helpers on team acme: moves, evidence, a policy, requests, all without an app above."""
    by = Actor(cast.admin)

    def move(number=2, *, slot="production", author=None, previous=None):
        return Move(
            team=cast.team,
            kind="model",
            asset_id=1,
            asset_label="acme/date-normaliser",
            version_id=number,
            version_number=number,
            digest=f"sha256:{number:064x}",
            slot=slot,
            author_ids=[(author or cast.alice).pk],
            previous=previous,
        )

    def evaluation(number=2, *, lower=0.95, value=0.97, dataset="acme/dates"):
        return actions.deposit_evidence(
            team=cast.team,
            kind="evaluation",
            subject_digest=f"sha256:{number:064x}",
            label=f"Evaluation of version {number}",
            payload={
                "metrics": {"exact_match": {"value": value, "lower": lower, "upper": 1.0, "n": 250}},
                "dataset": {"label": dataset, "digest": "sha256:d"},
            },
            by=Actor(cast.alice),
        )

    def card(number=2, *, missing=()):
        return actions.deposit_evidence(
            team=cast.team,
            kind="card",
            subject_digest=f"sha256:{number:064x}",
            label="Card",
            payload={"complete": not missing, "missing": list(missing)},
            by=Actor(cast.alice),
        )

    def policy(*, count=1, checks=None, **fields):
        if count > 1:  # a policy that nobody could meet is refused
            grant_role(user=cast.dana, role=Role.REVIEWER, on=cast.team, by=by)
        default = [
            {"type": "metric", "metric": "exact_match", "bound": "lower", "minimum": 0.9, "dataset": "acme/dates"},
            {"type": "card"},
        ]
        if count > 1:  # a policy that can never be met is refused
            grant_role(user=cast.dana, role=Role.REVIEWER, on=cast.team, by=by)
        return actions.create_policy(
            team=cast.team,
            kind="model",
            pattern="*",
            stage="production",
            checks=default if checks is None else checks,
            **{"reviews": {"count": count, "role": "reviewer"}, "by": by, **fields},
        )

    def request(number=2, *, by=None, **fields):
        return actions.open_request(move=move(number, **fields), reason="better", by=Actor(by or cast.alice))

    def review(asked, user, verdict="approve", comment="", shown="", on_behalf_of=None):
        return actions.review(
            request=asked,
            verdict=verdict,
            comment=comment,
            by=Actor(user),
            on=cast.team,
            shown=shown,
            on_behalf_of=on_behalf_of,
        )

    return SimpleNamespace(
        move=move, evaluation=evaluation, card=card, policy=policy, request=request, review=review, cast=cast
    )
