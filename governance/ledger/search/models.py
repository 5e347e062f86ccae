"""What makes the ledger quick to search, derived from it and built behind the writers' backs (see `builder`).

Writers pay for no index here: postings are written for whole batches of events that have committed. All of it can be
dropped and built again; what is found by it is checked against the events themselves."""

from django.db import models


class SearchBatch(models.Model):
    """A run of events in commit order whose postings are written; the last one's end is where the tail begins."""

    xid = models.BigIntegerField(help_text="Transaction of the batch's last event.")
    event_id = models.BigIntegerField(help_text="The batch's last event in commit order.")
    events = models.IntegerField()
    min_id = models.BigIntegerField()
    max_id = models.BigIntegerField()
    min_at = models.DateTimeField()
    max_at = models.DateTimeField()
    names_to = models.BigIntegerField(help_text="Names with smaller ids are found by their letters.")

    class Meta:
        indexes = [models.Index(fields=["max_at", "min_at"], name="search_batch_by_time")]


class SearchPosting(models.Model):
    """Which events of one block of ids carry one term: a bitmap, or their places when they are few (see `terms`)."""

    pk = models.CompositePrimaryKey("term", "block", "batch")
    term = models.BigIntegerField()
    block = models.IntegerField()
    batch = models.BigIntegerField()
    places = models.BinaryField()


class SearchName(models.Model):
    """A name under which the ledger knows somebody or something: a text is looked up here, its events by what it names."""

    subject = models.CharField(max_length=110, help_text="'actor:7' of who acted, else 'kind:id' of what was acted on.")
    name = models.CharField(max_length=300)
    lowered = models.CharField(max_length=300)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subject", "name"], name="search_name_once")]
