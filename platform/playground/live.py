"""What a model has said so far, for pages that look on. It is in Redis, for show: what counts is written when the answer is whole."""

import logging
from collections.abc import Iterable

from django.core.cache import cache
from redis.exceptions import RedisError

log = logging.getLogger(__name__)
_KEPT_S = 120


def show(cell_id: int, text: str) -> None:
    try:
        cache.set(f"playground:{cell_id}", text, _KEPT_S)
    except RedisError as error:
        log.info("Nobody sees cell %d grow: %s", cell_id, error)


def seen(cell_ids: Iterable[int]) -> dict[int, str]:
    """Text so far, by cell; those that have said nothing are left out."""
    names = {f"playground:{cell_id}": cell_id for cell_id in cell_ids}
    if not names:
        return {}
    try:
        return {names[name]: text for name, text in cache.get_many(names).items()}
    except RedisError:
        return {}
