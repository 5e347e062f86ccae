"""What is deleted in time, and secrets encrypted anew."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.errors import Unavailable
from governance.ledger.actions import Action
from governance.ledger.models import AuditEvent
from notifications import vault
from notifications.models import Delivery, Endpoint, Notice

DELIVERIES_KEPT = timedelta(days=30)
NOTICES_KEPT = timedelta(days=90)
AT_ONCE = 1_000


def sweep() -> int:
    """Delete old deliveries with their attempts, old notices and what is left of removed endpoints; how many rows."""
    now, gone = timezone.now(), 0
    old = Delivery.objects.exclude(state=Delivery.State.WAITING).filter(created_at__lt=now - DELIVERIES_KEPT)
    while keys := list(old.values_list("pk", flat=True)[:AT_ONCE]):
        gone += len(keys)
        Delivery.objects.filter(pk__in=keys).delete()
    notices = Notice.objects.exclude(mail=Notice.Mail.WAITING).filter(created_at__lt=now - NOTICES_KEPT)
    while keys := list(notices.values_list("pk", flat=True)[:AT_ONCE]):
        gone += len(keys)
        Notice.objects.filter(pk__in=keys).delete()
    Endpoint.objects.filter(removed_at__lt=now - DELIVERIES_KEPT).delete()
    Endpoint.objects.filter(previous_until__lt=now).update(previous_secret="", previous_until=None)
    return gone


def forget_erased() -> int:
    """Delete the notices of events of which texts have been erased on request: they quote them. How many."""
    gone, last = 0, 0
    while keys := list(
        Notice.objects.filter(event_id__gt=last)
        .order_by("event_id")
        .values_list("event_id", flat=True)
        .distinct()[:AT_ONCE]
    ):
        last = keys[-1]
        erased = [event.pk for event in AuditEvent.objects.filter(pk__in=keys) if event.erased]
        if erased:
            gone += Notice.objects.filter(event_id__in=erased).delete()[0]
    return gone


def erased_lately() -> bool:
    """Has somebody erased personal data since the sweep before last?"""
    since = timezone.now() - timedelta(hours=2)
    return AuditEvent.objects.filter(action=Action.PERSONAL_DATA_ERASED, at__gte=since).exists()


def encrypt_anew() -> int:
    """Secrets that an older key encrypted get the newest one's encryption; how many. What no key opens stays as it is."""
    changed = 0
    for key in list(Endpoint.objects.filter(removed_at=None).values_list("pk", flat=True)):
        with transaction.atomic():
            endpoint = Endpoint.objects.select_for_update().get(pk=key)
            fields = [
                name
                for name in ("secret", "previous_secret")
                if (token := getattr(endpoint, name)) and not vault.locked_by_newest(token)
            ]
            try:
                for name in fields:
                    setattr(endpoint, name, vault.lock(vault.unlock(getattr(endpoint, name))))
            except Unavailable:
                continue
            if fields:
                endpoint.save(update_fields=fields)
                changed += 1
    return changed
