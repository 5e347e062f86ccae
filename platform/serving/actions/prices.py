"""What the tokens of a deployment cost."""

from decimal import Decimal

from django.conf import settings
from django.db import transaction

from accounts.access import Actor, require
from accounts.errors import Invalid
from accounts.roles import Permission
from governance.ledger.actions import Action, record
from serving.actions.deployments import lock
from serving.actions.events import also_about, target_of
from serving.models import Deployment
from serving.prices import plain

MOST = Decimal(1_000_000)
_STEP = Decimal("0.000001")


@transaction.atomic
def set_prices(
    *, deployment: Deployment, input_price: Decimal | None, output_price: Decimal | None, by: Actor
) -> Deployment:
    """Per million tokens, in the site's currency; two Nones take the price away. What was counted before keeps its cost."""
    require(by, Permission.DEPLOYMENT_MANAGE, deployment)
    for field, price, other in (
        ("input_price", input_price, output_price),
        ("output_price", output_price, input_price),
    ):
        if price is None and other is not None:
            raise Invalid(field, "Give both prices, or none. 0 is a price too.")
        if price is not None and (not price.is_finite() or not 0 <= price <= MOST):
            raise Invalid(field, f"Use an amount from 0 to {MOST:,} for a million tokens.")
        if price is not None and price != price.quantize(_STEP):
            raise Invalid(field, "At most six digits after the point.")
    locked = lock(deployment)
    before = _described(locked)
    locked.input_price, locked.output_price = input_price, output_price
    locked.price_currency = "" if input_price is None else settings.PRICE_CURRENCY
    if _described(locked) == before:
        return locked
    locked.save(update_fields=["input_price", "output_price", "price_currency"])
    record(
        Action.DEPLOYMENT_PRICED,
        by=by,
        team=locked.team.name,
        target=target_of(locked),
        also=also_about(locked),
        before=before,
        after=_described(locked),
    )
    return locked


def _described(row: Deployment) -> dict[str, str]:
    return {
        "input_per_million": plain(row.input_price),
        "output_per_million": plain(row.output_price),
        "currency": row.price_currency,
    }
