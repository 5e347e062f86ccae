"""What answers cost: tokens times the price that a deployment's people have set. Amounts are Decimal, with the currency beside."""

from decimal import Decimal

from serving.models import Deployment

_MILLION = Decimal(1_000_000)


def cost_of(deployment: Deployment | None, prompt_tokens: int | None, completion_tokens: int | None) -> Decimal | None:
    """In `deployment.price_currency`; None where no price is set or the tokens are not known."""
    if deployment is None or deployment.input_price is None or deployment.output_price is None:
        return None
    if prompt_tokens is None and completion_tokens is None:
        return None
    tokens = deployment.input_price * (prompt_tokens or 0) + deployment.output_price * (completion_tokens or 0)
    return tokens / _MILLION


def deployment_called(model: str) -> Deployment | None:
    """The deployment that the gateway has under this name, 'team/name'. One query; asks nobody's permission: a price is shown to
    those who see the deployment, or what ran on it."""
    team, _, name = model.partition("/")
    rows = Deployment.objects.for_people().select_related("team")
    return rows.filter(team__name=team, name=name).first() if name and "\0" not in model else None


def plain(amount: Decimal | None) -> str:
    """An amount without needless zeros or exponent: '0.5'; '' for None."""
    if amount is None:
        return ""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def in_words(amount: Decimal | None, currency: str) -> str:
    """'0.00042 USD', with two digits that count below one and cents above; '' for None."""
    if amount is None:
        return ""
    digits = 2 if amount == 0 or abs(amount) >= 1 else 1 - amount.adjusted()
    return f"{amount:,.{digits}f} {currency}".strip()
