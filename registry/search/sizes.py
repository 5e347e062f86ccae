"""Classes of size: models by their parameters, datasets by their rows."""

from typing import Any

# slug, title, below
_MODELS = (
    ("under-100m", "Under 100 M", 100_000_000),
    ("100m-1b", "100 M to 1 B", 1_000_000_000),
    ("1b-10b", "1 to 10 B", 10_000_000_000),
    ("10b-100b", "10 to 100 B", 100_000_000_000),
    ("over-100b", "Over 100 B", None),
)
_DATASETS = (
    ("under-1k", "Under 1,000 rows", 1_000),
    ("1k-100k", "1,000 to 100,000 rows", 100_000),
    ("100k-10m", "100,000 to 10 M rows", 10_000_000),
    ("over-10m", "Over 10 M rows", None),
)
TITLES = {slug: title for slug, title, _ in (*_MODELS, *_DATASETS)}


def size_class(kind: str, facts: dict[str, Any]) -> str:
    """The slug; '' where nobody knows."""
    number = facts.get("parameters" if kind == "model" else "rows")
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        return ""
    return next(
        slug for slug, _, below in (_MODELS if kind == "model" else _DATASETS) if below is None or number < below
    )


def slugs(kind: str) -> list[str]:
    return [slug for slug, _, _ in (_MODELS if kind == "model" else _DATASETS)]
