"""Who could still decide on a request, and whether that is enough for what its policy asks for."""

from dataclasses import dataclass

from django.db.models import Q

from accounts.models import Grant, GroupMember, User
from accounts.roles import Role
from governance import policies, quorum
from governance.models import ApprovalRequest
from governance.rules import ReviewStep

MOST = 100


@dataclass(frozen=True)
class Candidates:
    """For one step of the reviews: how many words it still waits for, and who could give them."""

    step: ReviewStep
    missing: int
    people: list[User]

    @property
    def is_enough(self) -> bool:
        return len(self.people) >= self.missing

    @property
    def problem(self) -> str:
        """Why this step cannot be satisfied as things stand; '' when it can."""
        if self.is_enough:
            return ""
        who = f"of the group {self.step.group}" if self.step.group else f"with the role {self.step.role}"
        have = "nobody" if not self.people else f"only {len(self.people)}"
        return (
            f"It waits for {self.missing} more {who}, and {have} is there who neither made nor asked for this. "
            "Somebody has to be given that role or group, or the policy has to change."
        )


def candidates(request: ApprovalRequest, judged: policies.Verdict) -> list[Candidates]:
    """For each step that is not satisfied yet, in order. One query for the people and a few for each of them."""
    steps = list(zip(judged.rules.reviews.steps, judged.steps, strict=True))
    waiting = [(step, result.wanted - len(result.counted)) for step, result in steps if not result.is_satisfied]
    if not waiting:
        return []
    spoken = {
        person
        for result in judged.steps
        for review in result.counted
        for person in (review.reviewer_id, review.on_behalf_of_id)
    }
    barred = quorum.behind(request)
    people = {
        user: quorum.standing(user, request)
        for user in _people(request, [step for step, _ in waiting], judged.rules.terms.escalate_to)
        if user.pk not in barred and user.pk not in spoken
    }
    return [
        Candidates(
            step, missing, [user for user, who in people.items() if quorum.admits(who, step, request, judged.rules)]
        )
        for step, missing in waiting
    ]


def _people(request: ApprovalRequest, steps: list[ReviewStep], escalate_to: str | None) -> list[User]:
    """Whoever holds one of the roles anywhere in the team, or is in one of the groups."""
    roles, groups = {step.role for step in steps if step.role}, {step.group for step in steps if step.group}
    if escalate_to and request.escalated_at:
        what, _, slug = escalate_to.partition(":")
        (groups if what == "group" else roles).add(slug)
    grants = Grant.objects.filter(team_id=request.team_id, role__in=roles).live().order_by()
    members = GroupMember.objects.filter(group__team_id=request.team_id, group__slug__in=groups).order_by()
    named = Q(pk__in=grants.values("user_id")) | Q(pk__in=members.values("user_id"))
    if Role.ADMIN.value in roles:
        named |= Q(is_superuser=True)
    people = User.objects.filter(named, is_active=True, kind=User.Kind.PERSON)
    return list(people.order_by("name", "pk")[:MOST])
