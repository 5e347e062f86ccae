"""What is in a version: folders, texts, tensors, memory; and what differs between two."""

from tests.matrix.rules import ASSET, Table, sees

_MODEL, _DATASET = {"name": "m"}, {"name": "d"}

_SIDES = "from=1&to=3"
_DERIVED = "how far weights moved: derived from bytes that never change, and made again at any time"

FORMATS: Table = {
    "api-model-compare": {"GET": sees(ASSET, values=_MODEL, query=_SIDES)},
    "api-dataset-compare": {"GET": sees(ASSET, values=_DATASET, query=_SIDES)},
    "api-model-compare-weights": {"POST": sees(ASSET, values=_MODEL, query=_SIDES, quiet=_DERIVED)},
    "model-compare-weights": {"GET": sees(ASSET, values=_MODEL, query=_SIDES)},
    "model-compare-measure": {"POST": sees(ASSET, values=_MODEL, query=_SIDES, quiet=_DERIVED)},
    "model-file-browse": {"GET": sees(ASSET, values=_MODEL)},
    "dataset-file-browse": {"GET": sees(ASSET, values=_DATASET)},
    "model-version-tensors": {"GET": sees(ASSET, values=_MODEL)},
    "api-model-tensors": {"GET": sees(ASSET, values=_MODEL)},
    "api-model-memory": {"GET": sees(ASSET, values=_MODEL)},
}
