"""The life of a request: one table, and the only function that changes its state."""

from accounts.errors import Conflict
from governance import clock
from governance.models import ApprovalRequest

State = ApprovalRequest.State

# From each state, the states it can go to and the act that does it.
TRANSITIONS: dict[ApprovalRequest.State, dict[ApprovalRequest.State, str]] = {
    State.OPEN: {
        State.APPROVED: "the last review that the policy asks for",
        State.APPLIED: "the glass is broken: at once, reviewed afterwards",
        State.REJECTED: "a reviewer rejects",
        State.WITHDRAWN: "the requester withdraws",
        State.EXPIRED: "time runs out",
        State.SUPERSEDED: "another request for the same alias or label is applied",
    },
    State.APPROVED: {
        State.APPLIED: "the change is made: in the transaction of the last review, or later if it was asked for a time",
        State.OPEN: "the policy is no longer satisfied, or the evaluation that it waited for did not end green",
        State.WITHDRAWN: "the requester withdraws",
        State.SUPERSEDED: "another request for the same alias or label is applied",
    },
    State.APPLIED: {},
    State.REJECTED: {},
    State.WITHDRAWN: {},
    State.EXPIRED: {},
    State.SUPERSEDED: {},
}


def advance(request: ApprovalRequest, to: ApprovalRequest.State) -> None:
    """Move a locked request to another state; Conflict when the table does not have it."""
    now = State(request.state)
    skipped = (now, to) == (State.OPEN, State.APPLIED) and not request.glass_broken
    if to not in TRANSITIONS[now] or skipped:
        raise Conflict(
            f"Request {request.pk} is {now.value}: it cannot become {to.value}.", link=f"/requests/{request.pk}"
        )
    request.state = to
    request.closed_at = None if to in (State.OPEN, State.APPROVED) else clock.now()
    request.save(update_fields=["state", "closed_at"])


def diagram() -> str:
    """The table as a Mermaid diagram: what docs/approvals.md shows."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> open: somebody asks"]
    lines += [
        f"    {now.value} --> {then.value}: {act.replace(':', ',')}"
        for now, ways in TRANSITIONS.items()
        for then, act in ways.items()
    ]
    lines += [f"    {now.value} --> [*]" for now, ways in TRANSITIONS.items() if not ways]
    return "\n".join([*lines, "```"])
