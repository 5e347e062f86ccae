"""What waits for whom. Requests carry whom they wait for ('role:reviewer', 'group:legal'), so that an inbox is one query."""

from collections.abc import Iterable

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, Q, QuerySet, Value
from django.db.models.functions import Concat

from accounts.access import Actor, team_ids, visible
from accounts.errors import NotFound
from accounts.held import Held, Holdings, holdings_of
from accounts.models import ApiKey, GroupMember, User
from accounts.roles import Permission, Role
from governance.models import ApprovalRequest, Delegation, Review
from governance.models.reviews import DelegationQuerySet
from home.approvals.reads import about

State = ApprovalRequest.State
_LIVE = Q(state__in=[State.OPEN, State.APPROVED]) | Q(afterwards=ApprovalRequest.Afterwards.PENDING)


def inbox(actor: Actor) -> QuerySet[ApprovalRequest]:
    """The requests that wait for this person's word now: it is the turn of one of their roles or groups (or of a colleague's who
    is away and handed them their reviewing), and it is neither their own matter nor decided by them already."""
    return ApprovalRequest.objects.select_related("team", "requested_by").filter(waits_for(actor))


def counts(actor: Actor) -> dict[str, int]:
    """How many there are of each in the inbox: what waits for them (inbox), what they asked for that is under way (mine), broken
    glasses that are not settled (glass), open renewals (renewals). One query beside those that tell who the actor is."""
    seen = about(actor, Permission.ASSET_VIEW)
    renewals = Q(renews__isnull=False, state__in=[State.OPEN, State.APPROVED])
    found: dict[str, int] = ApprovalRequest.objects.filter(_LIVE).aggregate(
        inbox=Count("pk", filter=waits_for(actor)),
        mine=Count("pk", filter=Q(requested_by_id=actor.id or 0, state__in=[State.OPEN, State.APPROVED])),
        glass=Count("pk", filter=Q(afterwards=ApprovalRequest.Afterwards.PENDING) & seen),
        renewals=Count("pk", filter=renewals & seen),
    )
    return found


def waits_for(actor: Actor) -> Q:
    """A filter: the requests that wait for this person, for themselves or for who handed them their reviewing."""
    nothing = Q(pk__in=[])
    user = actor.user
    if user is None or not user.is_active or user.kind != User.Kind.PERSON:
        return nothing
    if not actor.in_scope(Permission.REQUEST_REVIEW):
        return nothing
    seen = team_ids(actor, Permission.TEAM_VIEW)
    found = _of(user, actor.holdings, seen)
    for delegation in delegations_to(actor).filter(team_id__in=seen):
        for_them = _of(delegation.delegator, holdings_of(delegation.delegator), [delegation.team_id])
        found |= for_them & Q(team_id=delegation.team_id) & _not_own(delegation.delegator)
    if actor.key and actor.key.team_id:
        found &= Q(team_id=actor.key.team_id)
    under_way = Q(state=State.OPEN) | Q(afterwards=ApprovalRequest.Afterwards.PENDING)
    return found & _not_own(user) & under_way


def delegations_to(actor: Actor) -> QuerySet[Delegation]:
    """The delegations in force by which this person reviews for others."""
    rows = Delegation.objects.in_force().filter(delegate_id=actor.id or 0, delegator__is_active=True)
    return rows.select_related("delegator", "team")


def _of(user: User, holdings: Holdings, teams: list[int]) -> Q:
    """Requests whose turn it is for one of this person's roles (which come with request.review) or groups, or that were escalated
    to one."""
    grants = list(holdings.everything())
    reviews = _any(_where(held) for held in grants if Permission.REQUEST_REVIEW in held.allowed)
    found = Q(pk__in=[])
    for held in grants:
        named = Q(waits_for__contains=[f"role:{held.role}"]) & reviews
        found |= _where(held) & (named | Q(waits_for__contains=[f"escalated:role:{held.role}"]))
    if user.is_superuser:
        admin = Role.ADMIN.value
        found |= Q(waits_for__contains=[f"escalated:role:{admin}"])
        found |= Q(waits_for__contains=[f"role:{admin}"]) & reviews
    for prefix in ("group:", "escalated:group:"):
        mine = GroupMember.objects.filter(user_id=user.pk, group__team_id__in=teams)
        slugs = mine.annotate(party=Concat(Value(prefix), "group__slug")).values("party")
        found |= Q(team_id__in=teams, waits_for__overlap=ArraySubquery(slugs))
    return found


def _where(held: Held) -> Q:
    """The requests that a grant reaches."""
    where = Q(team_id=held.team_id)
    if held.stage:
        where &= Q(stage=held.stage)
    if held.prefix:
        # A label is team/name, and neither holds a slash.
        where &= Q(asset_label__contains=f"/{held.prefix}")
        if held.kind:
            where &= Q(kind=held.kind)
    elif held.model != "team":
        kinds = ["model", "dataset"] if held.model == "asset" else [held.model]
        where &= Q(kind__in=kinds, asset_id=int(held.object_pk))
    return where


def _any(filters: Iterable[Q]) -> Q:
    found = Q(pk__in=[])
    for one in filters:
        found |= one
    return found


def _not_own(user: User) -> Q:
    """Neither asked for nor made by this person (or a service account that they made a key of), and not decided by them with a
    word that still counts."""
    keys = ApiKey.objects.filter(made_by_id=user.pk, user__kind=User.Kind.SERVICE).order_by().values("user_id")
    decided = Review.objects.filter(
        Q(reviewer_id=user.pk) | Q(on_behalf_of_id=user.pk), replaced_at=None, stale_at=None
    )
    return (
        ~Q(requested_by_id=user.pk)
        & ~Q(author_ids__contains=[user.pk])
        & ~Q(requested_by_id__in=keys)
        & ~Q(author_ids__overlap=ArraySubquery(keys))
        & ~Q(pk__in=decided.exclude(verdict=Review.Verdict.COMMENT).values("request_id"))
    )


def visible_delegations(actor: Actor) -> DelegationQuerySet:
    """Those that somebody gave or received, and those of the teams that they manage."""
    mine = Q(delegator_id=actor.id or 0) | Q(delegate_id=actor.id or 0)
    managed = visible(actor, Permission.TEAM_MANAGE, Delegation, own=False)
    # An empty filter lets a site administrator see all.
    rows = Delegation.objects.filter(mine | managed if managed else managed).select_related(
        "team", "delegator", "delegate"
    )
    return rows.filter(team_id=actor.key.team_id) if actor.key and actor.key.team_id else rows


def get_delegation(actor: Actor, delegation_id: int) -> Delegation:
    found = visible_delegations(actor).filter(pk=delegation_id).first()
    if found is None:
        raise NotFound("There is no such delegation that you can see.")
    return found
