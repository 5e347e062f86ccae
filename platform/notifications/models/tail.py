"""How far this app has read the ledger."""

from django.db import models


class Position(models.Model):
    """The last event, in commit order, of which everybody has been told. One row; it moves in the transaction that writes
    what follows from the events before it."""

    name = models.CharField(max_length=20, primary_key=True)
    xid = models.BigIntegerField(default=0)
    event_id = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} at {self.xid}/{self.event_id}"
