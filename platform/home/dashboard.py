"""What the home page shows of a team: what waits, what runs, what changed."""

from dataclasses import dataclass

from accounts.access import ANY_STAGE, Actor, can
from accounts.models import Team
from accounts.roles import Permission
from evaluation.models import Evaluation
from governance.ledger.models import AuditEvent
from governance.ledger.reads import Filter, find
from governance.models import ApprovalRequest
from home import approvals
from prompts.drafts import list_drafts
from prompts.models import Prompt, PromptDraft
from registry.models import Asset
from serving.models import Deployment
from tracking.models import Run

_UNDER_WAY = ("queued", "running")
_SHOWN = 6


@dataclass(frozen=True)
class Job:
    """Something that runs: what, where it is looked at, how far it is (None: not known)."""

    title: str
    kind: str
    icon: str
    address: str
    state: str
    percent: float | None
    done: int
    total: int
    seconds_left: float | None
    message: str


def waiting(actor: Actor, team: Team) -> list[ApprovalRequest]:
    """Requests of the team that wait for this person."""
    return list(approvals.inbox(actor).filter(team=team).order_by("-id")[:_SHOWN])


def asked(actor: Actor, team: Team) -> list[ApprovalRequest]:
    """The person's own open requests in the team."""
    rows = approvals.visible_requests(actor).filter(team=team, requested_by_id=actor.id, state="open")
    return list(rows.order_by("-id")[:_SHOWN])


def running(actor: Actor, team: Team) -> list[Job]:
    """Evaluations and runs under way."""
    evaluations = (
        Evaluation.objects.visible_to(actor).filter(team=team, state__in=_UNDER_WAY).with_labels().order_by("-id")
    )
    runs = Run.objects.visible_to(actor).alive().filter(team=team, state__in=_UNDER_WAY).order_by("-id")
    jobs = [
        Job(
            f"{row.model.name} v{row.version.number} on {row.dataset.name}", "Evaluation", "flask",
            row.get_absolute_url(), row.state, row.percent, row.done, row.total, row.seconds_left, row.message,
        )
        for row in evaluations[:_SHOWN]
    ]  # fmt: skip
    jobs += [
        Job(
            row.name, "Training", "activity", row.get_absolute_url(), row.state,
            row.percent if row.total_steps else None, row.step, row.total_steps, row.seconds_left, row.message,
        )
        for row in runs[:_SHOWN]
    ]  # fmt: skip
    return jobs


def drafts(actor: Actor, team: Team) -> list[PromptDraft]:
    """What the person is writing in the team, and nobody else sees."""
    rows = list_drafts(actor).filter(prompt__team=team)
    return list(rows.order_by("-saved_at", "-id")[:_SHOWN])


def deployments(actor: Actor, team: Team) -> list[Deployment]:
    rows = Deployment.objects.visible_to(actor).for_people().filter(team=team)
    return list(rows.with_revision().order_by("-id")[:_SHOWN])


@dataclass(frozen=True)
class Change:
    """A model, dataset or prompt that changed."""

    kind: str
    icon: str
    row: Asset | Prompt


def changed(actor: Actor, team: Team) -> list[Change]:
    """The models, datasets and prompts that changed last, newest first."""
    assets = Asset.objects.visible_to(actor).filter(team=team).select_related("team", "updated_by")
    prompts = Prompt.objects.visible_to(actor).filter(team=team).select_related("team", "updated_by")
    icons = {Asset.Kind.MODEL.value: "box", Asset.Kind.DATASET.value: "database"}
    most = _SHOWN + 2
    rows = [Change(row.kind, icons[row.kind], row) for row in assets.order_by("-updated_at", "-id")[:most]]
    rows += [Change("prompt", "message-2", row) for row in prompts.order_by("-updated_at", "-id")[:most]]
    return sorted(rows, key=lambda change: change.row.updated_at, reverse=True)[:most]


def activity(actor: Actor, team: Team) -> list[AuditEvent] | None:
    """The last events of the team, for those who may read the ledger; None for others."""
    if not can(actor, Permission.LEDGER_VIEW, team):
        return None
    return find(Filter(), teams=[team.name], limit=_SHOWN + 2).events


def may(actor: Actor, team: Team) -> dict[str, bool]:
    """What the quick starts offer."""
    return {
        "create": can(actor, Permission.ASSET_CREATE, team),
        "deploy": can(actor, Permission.DEPLOYMENT_MANAGE, team, stage=ANY_STAGE),
        "review": can(actor, Permission.REQUEST_REVIEW, team, stage=ANY_STAGE),
        "ledger": can(actor, Permission.LEDGER_VIEW, team),
        "manage": can(actor, Permission.TEAM_MANAGE, team),
    }
