"""The choices of the ledger's filter."""

from governance.ledger.actions import Action

ACTIONS = [
    ("", "Any action"),
    *[(noun, f"{noun.replace('_', ' ')}: all") for noun in sorted({a.value.split(".")[0] for a in Action})],
    *[(action.value, action.value) for action in sorted(Action)],
]
