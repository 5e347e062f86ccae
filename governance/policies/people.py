"""Is there anybody who could give the reviews that a policy asks for?"""

from collections.abc import Sequence
from itertools import combinations

from accounts.models import CustomRole, Grant, Group, GroupMember, Team, User
from accounts.roles import Permission, Role, permissions_of
from governance.rules import ReviewStep, Rules
from governance.rules.reading import Errors, refuse


def check_people(team: Team, rules: Rules) -> None:
    """Raise InvalidRules for roles and groups that do not exist, and for more reviews than there are people to give them."""
    errors: Errors = {}
    steps = rules.reviews.steps
    known = [
        _known(team, "role" if step.role else "group", step.role or step.group or "", _field(index, steps), errors)
        for index, step in enumerate(steps)
    ]
    if all(known):
        _enough(team, steps, errors)
    if rules.terms.escalate_to:
        what, _, slug = rules.terms.escalate_to.partition(":")
        if _known(team, what, slug, "terms.escalate_to", errors, end="") and not _holders(team, what, slug):
            errors["terms.escalate_to"] = [f"Nobody in {team.name} {_has(what, slug)}: it would reach no one."]
    refuse(errors)


def _field(index: int, steps: Sequence[ReviewStep]) -> str:
    return "reviews" if len(steps) == 1 else f"reviews.steps[{index}]"


def _has(what: str, slug: str) -> str:
    return f"has the role {slug}" if what == "role" else f"is in the group {slug}"


def _known(team: Team, what: str, slug: str, field: str, errors: Errors, *, end: str | None = None) -> bool:
    """Is there such a role or group? Else an error at `field` and its last part."""
    if what == "group":
        names = sorted(Group.objects.filter(team=team).values_list("slug", flat=True))
        known = slug in names
    else:
        own = CustomRole.objects.filter(team=team, archived_at=None).values_list("slug", flat=True)
        names = [*(role.value for role in Role), *sorted(own)]
        known = slug in names
    if not known:
        there = f"Use one of {', '.join(names)}." if names else f"{team.name} has no {what}s of its own yet."
        errors[f"{field}.{what}" if end is None else field] = [f"There is no {what} '{slug}' in {team.name}. {there}"]
    return known


def _enough(team: Team, steps: Sequence[ReviewStep], errors: Errors) -> None:
    """Nobody counts twice, so that every selection of steps needs as many people as it asks for (Hall's condition)."""
    people = [reviewers(team, step) for step in steps]
    for index, step in enumerate(steps):
        if not people[index]:
            what = "role" if step.role else "group"
            slug = step.role or step.group or ""
            also = " and may review" if step.role else ""
            errors[f"{_field(index, steps)}.{what}"] = [f"Nobody in {team.name} {_has(what, slug)}{also}."]
        elif len(people[index]) < step.count:
            have = "one person" if len(people[index]) == 1 else f"{len(people[index])} people"
            errors[f"{_field(index, steps)}.count"] = [
                f"Only {have} in {team.name} could give these reviews: {step.count} can never come together."
            ]
    if errors:
        return
    for size in range(2, len(steps) + 1):
        for some in combinations(range(len(steps)), size):
            wanted = sum(steps[index].count for index in some)
            there = set().union(*(people[index] for index in some))
            if wanted > len(there):
                errors["reviews.steps"] = [
                    f"Steps {', '.join(str(index + 1) for index in some)} together need {wanted} different people, and "
                    f"{team.name} has {len(there)} who could give them: no one counts twice."
                ]
                return


def reviewers(team: Team, step: ReviewStep) -> set[int]:
    """Who could give a review of this step: of a role those who may review too, of a named group its members."""
    if step.group:
        return _holders(team, "group", step.group)
    return _holders(team, "role", step.role or "") & _who_may_review(team)


def _holders(team: Team, what: str, slug: str) -> set[int]:
    """The people (service accounts do not review) who have a role anywhere in the team or are in a group of it."""
    if what == "group":
        rows = GroupMember.objects.filter(group__team=team, group__slug=slug, user__is_active=True)
        return set(rows.filter(user__kind=User.Kind.PERSON).values_list("user_id", flat=True))
    grants = Grant.objects.filter(team=team, role=slug, user__is_active=True, user__kind=User.Kind.PERSON).live()
    found = set(grants.values_list("user_id", flat=True))
    if slug == Role.ADMIN:
        everywhere = User.objects.filter(is_superuser=True, is_active=True, kind=User.Kind.PERSON)
        found |= set(everywhere.values_list("pk", flat=True))
    return found


def _who_may_review(team: Team) -> set[int]:
    built_in = [role.value for role in Role if Permission.REQUEST_REVIEW in permissions_of(role.value)]
    own = CustomRole.objects.filter(team=team, permissions__contains=[Permission.REQUEST_REVIEW.value])
    roles = [*built_in, *own.values_list("slug", flat=True)]
    return set(Grant.objects.filter(team=team, role__in=roles).live().values_list("user_id", flat=True))
