"""Counting reviews: whose word counts for which step of a policy, and why a word that was given does not count any more.

Nothing here changes anything. People are asked for their roles and groups as they are now, not as they were when they reviewed.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from accounts.access import Actor, can, roles_on
from accounts.groups import groups_of
from accounts.models import ApiKey, User
from accounts.roles import Permission
from governance.models import ApprovalRequest, Evidence, PolicyVersion, Review
from governance.rules import ReviewStep, Rules
from governance.subjects import subject_of

PASSED, FAILED, WAITING = "passed", "failed", "waiting"
State = ApprovalRequest.State


@dataclass(frozen=True)
class StepResult:
    """One step of the reviews. state: passed, failed (somebody rejected it) or waiting; `stale`: approvals that were given for it
    and do not count any more, each with the reason."""

    title: str
    state: str
    detail: str
    counted: list[Review] = field(default_factory=list)
    stale: list[tuple[Review, str]] = field(default_factory=list)
    wanted: int = 1
    # Would one more word for this step bring the whole further?
    is_open: bool = True
    # Lines of checks have these; a step has no evidence to link to.
    link: str = ""
    evidence_digest: str = ""

    @property
    def is_satisfied(self) -> bool:
        """Have enough people approved (whether or not somebody else rejected)?"""
        return len(self.counted) >= self.wanted


@dataclass(frozen=True)
class Standing:
    """What somebody is on the subject of a request: their roles and groups there, and whether their roles let them review."""

    roles: frozenset[str]
    groups: frozenset[str]
    may_review: bool

    def fits(self, step: ReviewStep) -> bool:
        """A role counts where it comes with request.review; a group that the policy names counts by itself."""
        if step.group:
            return step.group in self.groups
        return self.may_review and step.role in self.roles

    def meets(self, party: str) -> bool:
        """Is this one of 'role:admin' or 'group:safety', whom a policy escalates to?"""
        what, _, slug = party.partition(":")
        return slug in (self.groups if what == "group" else self.roles)


def standing(user: User, request: ApprovalRequest) -> Standing:
    """What this person is there now; nothing at all for a service account or somebody deactivated."""
    if not user.is_active or user.kind != User.Kind.PERSON:
        return Standing(frozenset(), frozenset(), False)
    actor, on = Actor(user), subject_of(request)
    return Standing(
        frozenset(str(role) for role in roles_on(actor, on, stage=request.stage)),
        frozenset(groups_of(user.pk, request.team_id)),
        can(actor, Permission.REQUEST_REVIEW, on, stage=request.stage),
    )


def is_live(request: ApprovalRequest) -> bool:
    """Are reviews still being counted for it? A closed one is read as it stood when it closed."""
    return request.state in (State.OPEN, State.APPROVED) or request.afterwards == ApprovalRequest.Afterwards.PENDING


def ended_at(request: ApprovalRequest) -> datetime | None:
    """When the last word was said on a closed request: when it closed, or for a broken glass when it was settled."""
    if not request.glass_broken:
        return request.closed_at
    decided = request.reviews.exclude(verdict=Review.Verdict.COMMENT).order_by("-created_at")
    last = decided.values_list("created_at", flat=True).first()
    return max(filter(None, (last, request.closed_at)), default=None)


def awaits_reviews(request: ApprovalRequest) -> bool:
    """Is it a reviewer's turn, and not the requester's (whom somebody asked for changes) or nobody's?"""
    if request.state != State.OPEN and request.afterwards != ApprovalRequest.Afterwards.PENDING:
        return False
    return not request.reviews.filter(verdict=Review.Verdict.CHANGES, replaced_at=None).exists()


def behind(request: ApprovalRequest) -> set[int]:
    """Everybody whose own matter this is: the authors, the requester, and who made a key of a service account among them."""
    own = {*request.author_ids, request.requested_by_id}
    makers = ApiKey.objects.filter(user_id__in=own, user__kind=User.Kind.SERVICE, made_by__isnull=False)
    return own | {maker for maker in makers.values_list("made_by_id", flat=True).distinct() if maker is not None}


def count(
    rules: Rules,
    reviews: Sequence[Review],
    *,
    request: ApprovalRequest,
    policy_version: PolicyVersion | None,
    evidence_digests: Sequence[str],
    unfit: str = "",
    as_of: datetime | None = None,
) -> list[StepResult]:
    """The steps of the policy with the approvals that count for each. `unfit`: why there is no evidence for some check (any more).
    `as_of`: as it stood then, by the roles that reviews noted."""
    if as_of is None and not is_live(request):
        as_of = ended_at(request)
    given = [
        review
        for review in reviews
        if review.verdict != Review.Verdict.COMMENT
        and (as_of is None or review.created_at <= as_of)
        and (review.replaced_at is None or (as_of is not None and review.replaced_at > as_of))
    ]
    approvals = [review for review in given if review.verdict == Review.Verdict.APPROVE]
    bound = _Binding(request, policy_version, list(evidence_digests), unfit)
    barred = behind(request) if approvals and as_of is None else set()
    words: list[tuple[Review, Standing]] = []
    stale: list[tuple[Review, str]] = []
    used: dict[int, Review] = {}
    for review in approvals:
        who = _standing_of(review, request, now=as_of is None)
        why = bound.broken(review) or (_lost(review, who, request, rules, barred) if as_of is None else "")
        people = {review.reviewer_id, *([review.on_behalf_of_id] if review.on_behalf_of_id else [])}
        twice = next((used[person] for person in people if person in used), None)
        if not why and twice is not None:
            why = f"it counts as one with the approval of {twice.reviewer}: they speak for the same person"
        if why:
            stale.append((review, why))
        else:
            words.append((review, who))
            used |= dict.fromkeys(people, review)
    return _steps(rules, request, given, words, stale)


def _standing_of(review: Review, request: ApprovalRequest, *, now: bool) -> Standing:
    if now:
        return standing(review.on_behalf_of or review.reviewer, request)
    return Standing(frozenset(review.roles), frozenset(review.groups), True)


def admits(who: Standing, step: ReviewStep, request: ApprovalRequest, rules: Rules) -> bool:
    """May this person's word count for this step? Once escalated, whom the policy escalates to stands in at every step."""
    escalated = rules.terms.escalate_to if request.escalated_at and not request.glass_broken else None
    return who.fits(step) or bool(escalated and who.meets(escalated))


def awaited(rules: Rules, steps: Sequence[StepResult]) -> list[ReviewStep]:
    """The steps that wait for somebody now."""
    return [step for step, result in zip(rules.reviews.steps, steps, strict=True) if result.is_open]


def _open_steps(
    rules: Rules, request: ApprovalRequest, words: Sequence[tuple[Review, Standing]], assigned: dict[int, int]
) -> set[int]:
    """In an order the first step that is not satisfied. Without one all that are not, and those from which somebody who has
    approved could move over to one of them."""
    steps, filled = rules.reviews.steps, Counter(assigned.values())
    found = {index for index, step in enumerate(steps) if filled[index] < step.count}
    if rules.reviews.ordered:
        return {min(found)} if found else set()
    for _ in steps:
        for review, who in words:
            place = assigned.get(review.pk)
            if place is not None and any(admits(who, steps[index], request, rules) for index in found):
                found.add(place)
    return found


def parties(rules: Rules, steps: Sequence[StepResult], request: ApprovalRequest) -> list[str]:
    """Whom it waits for now: 'role:reviewer', 'group:legal', and once escalated 'escalated:role:admin'."""
    found = [f"group:{step.group}" if step.group else f"role:{step.role}" for step in awaited(rules, steps)]
    if found and request.escalated_at and not request.glass_broken and rules.terms.escalate_to:
        found.append(f"escalated:{rules.terms.escalate_to}")
    return list(dict.fromkeys(found))


class _Binding:
    """What an approval is bound to: the bytes, the policy's version and the evidence that was there."""

    def __init__(
        self, request: ApprovalRequest, policy_version: PolicyVersion | None, evidence_digests: list[str], unfit: str
    ) -> None:
        self.request, self.policy_version, self.evidence = request, policy_version, set(evidence_digests)
        self._unfit = unfit
        self._labels: dict[str, str] | None = None
        self._awaited: set[str] | None = None

    def broken(self, review: Review) -> str:
        """Why this approval is no approval of what is there now; '' when it is."""
        if review.digest != self.request.digest:
            return "it was given for other bytes"
        if review.policy_version_id != (self.policy_version.pk if self.policy_version else None):
            if self.policy_version is None:
                return "the policy was removed since"
            return f"the policy changed to version {self.policy_version.number}"
        seen = set(review.evidence_digests)
        new, gone = self.evidence - seen, seen - self.evidence
        if not new and not gone:
            return ""
        # Given on condition that an evaluation ends green: what that one brings is what was agreed to.
        expected = self._of_awaited_evaluation() & self.evidence
        if new <= expected and (not gone or expected):
            return ""
        if not new - expected:
            return "evidence that it was given on does not count any more" + (f": {self._unfit}" if self._unfit else "")
        return "new evidence: " + ", ".join(self._label(digest) for digest in sorted(new - expected))

    def _of_awaited_evaluation(self) -> set[str]:
        if self._awaited is None:
            number = self.request.apply_after_evaluation
            rows = Evidence.objects.filter(
                team_id=self.request.team_id, digest__in=self.evidence, payload__evaluation=number
            )
            self._awaited = set() if number is None else set(rows.values_list("digest", flat=True))
        return self._awaited

    def _label(self, digest: str) -> str:
        if self._labels is None:
            rows = Evidence.objects.filter(team_id=self.request.team_id, digest__in=self.evidence)
            self._labels = dict(rows.order_by("id").values_list("digest", "label"))
        return self._labels.get(digest, digest[:19])


def _lost(review: Review, who: Standing, request: ApprovalRequest, rules: Rules, barred: set[int]) -> str:
    """Why the one who gave it may not give it any more; '' when they may."""
    for user in filter(None, (review.reviewer, review.on_behalf_of)):
        if not user.is_active:
            return f"the account of {user} is deactivated"
        if user.pk in barred:
            return f"{user} made or asked for this, or made a key of the account that did"
    if review.on_behalf_of and not can(Actor(review.reviewer), Permission.TEAM_VIEW, subject_of(request)):
        return f"{review.reviewer} is not in the team any more"
    if any(admits(who, step, request, rules) for step in rules.reviews.steps):
        return ""
    speaker = review.on_behalf_of or review.reviewer
    named = [step for step in rules.reviews.steps if step.role in review.roles or step.group in review.groups]
    lacking = (named or list(rules.reviews.steps))[0]
    if lacking.group:
        return f"{speaker} is not in the group {lacking.group} any more"
    return f"{speaker} is not a {lacking.role} any more"


def _steps(
    rules: Rules,
    request: ApprovalRequest,
    given: Sequence[Review],
    words: Sequence[tuple[Review, Standing]],
    stale: Sequence[tuple[Review, str]],
) -> list[StepResult]:
    steps = rules.reviews.steps
    assigned = _assign(steps, words, request, rules)
    opened = _open_steps(rules, request, words, assigned)
    rejected = [review for review in given if review.verdict == Review.Verdict.REJECT]
    asked = [review for review in given if review.verdict == Review.Verdict.CHANGES]
    results: list[StepResult] = []
    reached = True
    for index, step in enumerate(steps):
        counted = [review for review, _ in words if assigned.get(review.pk) == index]
        old = [(review, why) for review, why in stale if _step_of(review, steps) == index]
        state, detail = WAITING, f"{len(counted)} of {step.count}"
        if counted:
            detail += ": " + ", ".join(_name(review) for review in counted)
        if len(counted) >= step.count:
            state = PASSED
        elif not reached:
            detail += "; its turn comes after the step before"
        if old:
            detail += "; no longer counted: " + "; ".join(f"{_name(review)} ({why})" for review, why in old)
        if rejected:
            state, detail = FAILED, "Rejected by " + _names(rejected)
        elif asked:
            state, detail = FAILED, f"Changes asked for by {_names(asked)}; {detail}"
        results.append(StepResult(step.title, state, detail, counted, old, step.count, index in opened))
        reached = reached and (results[-1].is_satisfied or not rules.reviews.ordered)
    return results


def _step_of(review: Review, steps: Sequence[ReviewStep]) -> int:
    """The step that a review was given for, by what it noted."""
    for index, step in enumerate(steps):
        if (step.group and step.group in review.groups) or (step.role and step.role in review.roles):
            return index
    return 0


def _assign(
    steps: Sequence[ReviewStep], words: Sequence[tuple[Review, Standing]], request: ApprovalRequest, rules: Rules
) -> dict[int, int]:
    """Each approval to at most one step, so that as many places as possible are filled, earlier steps first: augmenting paths
    over the places, which are few. Returns {review id: index of the step}."""
    places = [index for index, step in enumerate(steps) for _ in range(step.count)]
    fits = {
        index: [review.pk for review, who in words if admits(who, step, request, rules)]
        for index, step in enumerate(steps)
    }
    holder: dict[int, int] = {}  # review -> place

    def fill(place: int, tried: set[int]) -> bool:
        for review in fits[places[place]]:
            if review not in tried:
                tried.add(review)
                if review not in holder or fill(holder[review], tried):
                    holder[review] = place
                    return True
        return False

    for place in range(len(places)):
        fill(place, set())
    return {review: places[place] for review, place in holder.items()}


def _name(review: Review) -> str:
    return f"{review.reviewer} on behalf of {review.on_behalf_of}" if review.on_behalf_of else str(review.reviewer)


def _names(reviews: Iterable[Review]) -> str:
    return ", ".join(_name(review) for review in reviews)
