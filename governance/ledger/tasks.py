"""Background work on the ledger, every few seconds by beat. All of it is safe to run twice, and at the same time."""

import logging

from celery import shared_task
from django.core.exceptions import ImproperlyConfigured

from governance.ledger import anchors, sealer
from governance.ledger.keys import KeyUnknown
from governance.ledger.search import builder
from governance.ledger.tree import TreeDamaged

logger = logging.getLogger(__name__)


@shared_task
def index_events() -> None:
    """Write the postings of what has been committed since."""
    builder.build()


@shared_task
def seal_events() -> None:
    """Take what has been committed since into the tree, and sign it. Why it would refuse is in the ledger's status too."""
    try:
        sealer.seal()
    except (KeyUnknown, TreeDamaged, ImproperlyConfigured) as error:
        logger.error("The ledger is not sealed: %s", error)


@shared_task
def anchor_checkpoints() -> None:
    """Leave the latest checkpoint outside, where an operator has named a place."""
    anchors.anchor()
