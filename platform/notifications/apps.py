from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Tells people and other systems of what the ledger says: notices, e-mail and webhooks."""

    name = "notifications"
