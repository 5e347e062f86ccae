"""Prompts on their way to applications."""

from tests.matrix.rules import ASSET, Table, sees

TABLE: Table = {
    "api-prompt-usage": {"GET": sees(ASSET, values={"name": "p"})},
    "prompt-usage": {"GET": sees(ASSET, values={"name": "p"})},
}
