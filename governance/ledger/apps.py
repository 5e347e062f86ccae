from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """The audit ledger. It stands below every other app, `accounts` too, and imports none of them."""

    name = "governance.ledger"
    label = "ledger"
