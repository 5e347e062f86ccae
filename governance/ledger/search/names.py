"""Who and what a text names: a part of a name, an e-mail or a label, of now or of then."""

from collections.abc import Iterable
from itertools import islice

from django.db.models import Q

from governance.ledger.commits import Position
from governance.ledger.search.models import SearchBatch, SearchName
from governance.ledger.search.postings import matches
from governance.ledger.search.tail import tail
from governance.ledger.search.terms import term, trigrams

# A text that names more things than this narrows nothing: events are then read one after the other.
MOST = 300


def actors_named(text: str, since: Position) -> set[int | None] | None:
    """Ids of the people and services whose name or e-mail holds the text (None among them: nobody in person, as when the
    system acts); None when there are too many, or the text is too short, to say."""
    known = _known(text, Q(subject__startswith="actor:"))
    if known is None:
        return None
    keys = (subject.partition(":")[2] for subject in known)
    found: set[int | None] = {int(key) if key else None for key in keys}
    recent = Q(text__actor_name__icontains=text) | Q(text__actor_email__icontains=text)
    found |= set(tail(since).filter(recent).values_list("actor_id", flat=True).distinct()[:MOST])
    return found


def things_named(text: str, since: Position) -> set[str] | None:
    """Subjects, 'model:7', whose label holds the text; None as above."""
    known = _known(text, ~Q(subject__startswith="actor:"))
    if known is None:
        return None
    recent = tail(since).filter(text__target_label__icontains=text).values_list("target_kind", "target_id").distinct()
    known |= {f"{kind}:{key}" for kind, key in recent[: MOST + 1]}
    return known if len(known) <= MOST else None


def _known(text: str, which: Q) -> set[str] | None:
    lowered = text.lower()
    letters = trigrams(lowered)
    if not letters:
        return None
    names_to = SearchBatch.objects.order_by("-id").values_list("names_to", flat=True).first() or 0
    groups = [[term("letters", three)] for three in letters]
    ids = list(islice(matches(groups, 0, names_to - 1, ascending=False), 4 * MOST)) if names_to else []
    names = SearchName.objects.filter(Q(id__in=ids) | Q(id__gte=names_to), which, lowered__contains=lowered)
    found = set(names.values_list("subject", flat=True)[: MOST + 1])
    return found if len(found) <= MOST and len(ids) < 4 * MOST else None


def forget(subjects: Iterable[str], texts: Iterable[str]) -> int:
    """Take away the names of these subjects and those that hold one of these texts (after an erasure); how many went."""
    which = Q(subject__in=list(subjects))
    for text in texts:
        which |= Q(lowered__contains=text.lower())
    return SearchName.objects.filter(which).delete()[0]
