from notifications.models.notices import Notice, Preference
from notifications.models.tail import Position
from notifications.models.webhooks import Attempt, Delivery, Endpoint

__all__ = ["Attempt", "Delivery", "Endpoint", "Notice", "Position", "Preference"]
