"""Random people do random things to requests, on a real PostgreSQL; what must never happen is looked for after each step.

The oracle below counts reviews in its own, slower way: it shares no line with governance.quorum. `COUNTERSIGN_MACHINE_EXAMPLES`
makes it run longer than in the suite.
"""

import io
import itertools
import os
import random
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from accounts import actions as accounts
from accounts.access import Actor, roles_on
from accounts.errors import Problem
from accounts.groups import groups_of
from accounts.models import ApiKey, Grant, Group, User
from evaluation.models import Evaluation
from governance import actions
from governance.ledger.models import AuditEvent
from governance.models import ApprovalRequest, Delegation, Evidence, Policy, Review
from governance.tasks import keep_requests, lapse_approvals
from home import approvals
from registry import actions as registry
from registry.models import Alias
from tests.conftest import PASSWORD
from tests.home.test_requests import CARD, weights

EXAMPLES = int(os.environ.get("COUNTERSIGN_MACHINE_EXAMPLES", "16"))
NAMES = ("alice", "bob", "dana", "eve", "fay", "gus")
GIVEN = {
    "alice": ["contributor"],
    "bob": ["reviewer"],
    "dana": ["reviewer", "contributor"],
    "eve": ["reviewer"],
    "fay": ["admin", "reviewer"],
    "gus": ["viewer"],
}
METRIC = {"type": "metric", "metric": "exact_match", "bound": "lower", "minimum": 0.9}
LIFE = {"shelf_life_days": 5, "escalate_after_h": 24, "escalate_to": "role:admin", "review_glass_within_h": 24}
POLICIES = [
    {"checks": [], "reviews": {"count": 1, "role": "reviewer"}, "terms": LIFE},
    {"checks": [METRIC], "reviews": {"count": 2, "role": "reviewer"}, "terms": LIFE},
    {
        "checks": [METRIC],
        "reviews": {"steps": [{"count": 1, "role": "reviewer"}, {"count": 1, "group": "legal"}], "ordered": True},
        "terms": {**LIFE, "break_glass": False},
    },
    {
        "checks": [],
        "reviews": {"steps": [{"count": 1, "group": "legal"}, {"count": 1, "role": "reviewer"}], "ordered": False},
        "terms": LIFE,
    },
]


def build():
    root = accounts.create_first_administrator(email="root@example.com", password=PASSWORD)
    by = Actor(root)
    team = accounts.create_team(name="acme", by=by)
    world = SimpleNamespace(root=root, team=team)
    for name in NAMES:
        user = accounts.create_user(email=f"{name}@example.com", name=name.title(), password=PASSWORD, by=by)
        setattr(world, name, user)
        for role in GIVEN[name]:
            accounts.grant_role(user=user, role=role, on=team, by=by)
    world.robot = accounts.create_service_account(name="robot", team=team, role="contributor", by=by)
    accounts.create_key(name="first", team=team, user=world.robot, by=Actor(world.fay))
    world.group = accounts.create_group(team=team, slug="legal", title="Legal", by=by)
    for name in ("eve", "gus"):
        accounts.add_member(group=world.group, user=getattr(world, name), by=by)
    world.asset = registry.create_asset(
        team=team, kind="model", name="dates", task="text-generation", by=Actor(world.alice)
    )
    world.versions = [
        version(world.asset, maker, size) for size, maker in ((2, world.alice), (3, world.dana), (4, world.robot))
    ]
    world.data = registry.create_asset(team=team, kind="dataset", name="d", by=Actor(world.alice))
    rows = registry.create_version(asset=world.data, message="rows", by=Actor(world.alice))
    registry.add_file(
        version=rows, path="a.jsonl", stream=io.BytesIO(b'{"input": "a", "expected": "b"}\n'), by=Actor(world.alice)
    )
    world.rows = registry.register_version(version=rows, by=Actor(world.alice))
    world.policy = actions.create_policy(
        team=team, kind="model", pattern="*", stage="production", by=Actor(world.fay), **POLICIES[0]
    )
    return world


def version(asset, maker, size):
    by = Actor(maker)
    made = registry.create_version(asset=asset, message=f"{size} weights", by=by)
    files = (("config.json", b'{"model_type": "llama"}'), ("model.safetensors", weights(size)), ("README.md", CARD))
    for path, content in files:
        registry.add_file(version=made, path=path, stream=io.BytesIO(content), by=by)
    return registry.register_version(version=made, by=by)


class Machine(RuleBasedStateMachine):
    """One life of a team. `self.applied`: the requests whose application was seen and checked; `self.there`: the version that the
    alias must point at."""

    world: SimpleNamespace

    @initialize()
    def begin(self):
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()
        self.applied, self.settled, self.seen_reviews, self.there = set(), set(), set(), None
        self.fresh = False

    def teardown(self):
        transaction.set_rollback(True)
        self.savepoint.__exit__(None, None, None)

    def user(self, name):
        return User.objects.get(pk=getattr(self.world, name).pk)

    def attempt(self, act, **given):
        """Do it as a door would; a refusal is fine, and changes nothing."""
        self.fresh = False
        try:
            with transaction.atomic():
                return act(**given)
        except Problem:
            return None

    def pick(self, number, **wanted):
        rows = list(ApprovalRequest.objects.filter(**wanted).select_related("team", "requested_by").order_by("pk"))
        return rows[number % len(rows)] if rows else None

    # What people do.

    def ask(self, who, which, when):
        by, wanted = Actor(self.user(who), via="api"), self.world.versions[which]
        extra = {}
        if when == "at":
            extra = {"apply_at": timezone.now() + timedelta(hours=10)}
        elif when == "after":
            run = Evaluation.objects.create(
                team=self.world.team, model=self.world.asset, version=wanted, dataset=self.world.data,
                dataset_version=self.world.rows, total=1, rows=1, created_by=self.world.alice,
            )  # fmt: skip
            extra = {"apply_after_evaluation": run.pk}
        self.attempt(
            approvals.open_request, kind="model", asset="acme/dates", version=wanted.number, alias="production", reason="", by=by, **extra
        )  # fmt: skip

    def decide(self, who, number, verdict, behalf):
        if request := self.pick(number, state__in=["open", "open", "approved", "applied"]):
            self.attempt(
                approvals.decide, request=request, verdict=verdict, comment="because", by=Actor(self.user(who)),
                on_behalf_of=self.user(behalf) if behalf else None,
            )  # fmt: skip

    def decide_for_who_is_away(self, number, which):
        rows = list(Delegation.objects.in_force().select_related("delegate", "delegator").order_by("pk"))
        if rows:
            row = rows[which % len(rows)]
            for verdict, act in (("approve", approvals.decide), ("confirm", approvals.settle_glass)):
                wanted = {"state": "open"} if verdict == "approve" else {"afterwards": "pending"}
                if request := self.pick(number, **wanted):
                    self.attempt(
                        act, request=request, verdict=verdict, comment="for them", by=Actor(row.delegate),
                        on_behalf_of=row.delegator,
                    )  # fmt: skip

    def everybody_approves(self, number, first):
        if request := self.pick(number, state="open"):
            for who in first:
                self.attempt(approvals.decide, request=request, verdict="approve", comment="", by=Actor(self.user(who)))

    def answer(self, who, number):
        if request := self.pick(number):
            self.attempt(actions.answer_changes, request=request, reason="done", by=Actor(self.user(who)))

    def answer_as_asked(self, number):
        if request := self.pick(number, state="open"):
            self.attempt(actions.answer_changes, request=request, reason="done", by=Actor(request.requested_by))

    def withdraw(self, who, number):
        if request := self.pick(number):
            self.attempt(actions.withdraw, request=request, by=Actor(self.user(who)))

    def delegate(self, who, to, start, days):
        begin = timezone.now() + timedelta(days=start)
        self.attempt(
            actions.delegate, to=self.user(to), team=self.world.team, starts_at=begin, ends_at=begin + timedelta(days=days),
            by=Actor(self.user(who)),
        )  # fmt: skip

    def end_delegation(self, number):
        if rows := list(Delegation.objects.filter(ended_at=None).order_by("pk")):
            row = rows[number % len(rows)]
            self.attempt(actions.end_delegation, delegation=row, by=Actor(row.delegator))

    def break_glass(self, who, which):
        self.attempt(
            approvals.break_glass, kind="model", asset="acme/dates", version=self.world.versions[which].number,
            alias="production", reason="customers are without answers", by=Actor(self.user(who)),
        )  # fmt: skip

    def settle(self, who, number, verdict, behalf):
        if request := self.pick(number, glass_broken=True):
            self.attempt(
                approvals.settle_glass, request=request, verdict=verdict, comment="seen", by=Actor(self.user(who)),
                on_behalf_of=self.user(behalf) if behalf else None,
            )  # fmt: skip

    def renew(self, who, number):
        if request := self.pick(number, state="applied"):
            self.attempt(approvals.renew, request=request, by=Actor(self.user(who)))

    # What happens around them.

    def role(self, who, role, give):
        act = accounts.grant_role if give else accounts.revoke_role
        self.attempt(act, user=self.user(who), role=role, on=self.world.team, by=Actor(self.world.root))

    def membership(self, who, join):
        act = accounts.add_member if join else accounts.remove_member
        self.attempt(act, group=self.world.group, user=self.user(who), by=Actor(self.world.root))

    def account(self, who, active):
        self.attempt(accounts.set_active, user=self.user(who), active=active, by=Actor(self.world.root))

    def make_a_key_of_the_robot(self, who):
        self.attempt(
            accounts.create_key, name="k", team=self.world.team, user=self.world.robot, by=Actor(self.user(who))
        )

    def evidence(self, which, lower):
        self.deposit(self.world.versions[which], lower)

    def deposit(self, measured, lower, number=None):
        figures = {"value": lower, "lower": lower, "upper": 1.0, "n": 9, "version": 1}
        self.attempt(
            actions.deposit_evidence, team=self.world.team, kind="evaluation", subject_digest=measured.digest,
            label=f"Evaluation of {measured}", by=Actor(self.world.alice),
            payload={"metrics": {"exact_match": figures}, "dataset": {"label": "acme/x", "version": 1}, "evaluation": number,
                     "salt": Evidence.objects.count()},
        )  # fmt: skip

    def evaluation_ends(self, number, lower):
        if rows := list(Evaluation.objects.filter(state="queued").select_related("version").order_by("pk")):
            run = rows[number % len(rows)]
            state = "failed" if lower is None else "succeeded"
            Evaluation.objects.filter(pk=run.pk).update(state=state, finished_at=timezone.now(), done=1)
            if lower is not None:
                self.deposit(run.version, lower, run.pk)

    def policy(self, which):
        policy = Policy.objects.get(pk=self.world.policy.pk)
        self.attempt(actions.update_policy, policy=policy, by=Actor(self.world.root), **POLICIES[which])

    def time_passes(self, hours):
        """Every moment that is written down lies further back."""
        self.fresh = False
        by = timedelta(hours=hours)
        names = (
            "created_at",
            "closed_at",
            "expires_at",
            "escalated_at",
            "apply_at",
            "valid_until",
            "afterwards_due_at",
        )
        ApprovalRequest.objects.update(**{name: F(name) - by for name in names})
        Review.objects.update(created_at=F("created_at") - by, replaced_at=F("replaced_at") - by)
        Delegation.objects.update(starts_at=F("starts_at") - by, ends_at=F("ends_at") - by)

    def tasks(self):
        lapse_approvals()
        keep_requests()
        self.fresh = True

    def due(self):
        self.fresh = False
        with transaction.atomic():
            approvals.apply_due()
        assert approvals.apply_due() == 0, "twice is once"

    @rule(seed=st.integers(0, 2**32))
    def a_busy_day(self, seed):
        """Many acts, in the proportions of life: chosen evenly they rarely bring a request as far as its second reviewer."""
        chance = random.Random(seed)

        def number():
            return chance.randrange(50)

        def name():
            return chance.choice(NAMES)

        acts = {
            lambda: self.ask(chance.choice((*NAMES, "robot", "alice", "alice")), chance.randrange(3), chance.choice(["now", "now", "at", "after"])): 7,
            lambda: self.decide(name(), number(), chance.choice(["approve"] * 7 + ["reject", "changes"]), None): 14,
            lambda: self.decide(name(), number(), "approve", name()): 2,
            lambda: self.decide_for_who_is_away(number(), number()): 9,
            lambda: self.everybody_approves(number(), chance.sample(NAMES, len(NAMES))): 3,
            lambda: self.answer_as_asked(number()): 2,
            lambda: self.withdraw(name(), number()): 1,
            lambda: self.delegate(name(), name(), chance.randint(-3, 1), chance.randint(1, 9)): 6,
            lambda: self.end_delegation(number()): 1,
            lambda: self.break_glass(chance.choice(["fay", "fay", name()]), chance.randrange(3)): 2,
            lambda: self.settle(name(), number(), chance.choice(["confirm", "roll_back"]), chance.choice([None, name()])): 5,
            lambda: self.renew(name(), number()): 2,
            lambda: self.role(name(), chance.choice(["reviewer", "contributor"]), chance.random() < 0.6): 2,
            lambda: self.membership(name(), chance.random() < 0.6): 2,
            lambda: self.account(name(), chance.random() < 0.8): 2,
            lambda: self.make_a_key_of_the_robot("fay"): 1,
            lambda: self.evidence(chance.randrange(3), chance.choice([0.5, 0.95, 0.95, 0.95])): 4,
            lambda: self.evaluation_ends(number(), chance.choice([None, 0.5, 0.95, 0.95])): 3,
            lambda: self.policy(chance.randrange(len(POLICIES))): 2,
            lambda: self.time_passes(chance.choice([1, 11, 30, 150])): 2,
            self.tasks: 3,
            self.due: 3,
        }  # fmt: skip
        for act in chance.choices(list(acts), weights=list(acts.values()), k=15):
            act()
            self.look()

    def look(self):
        self.nothing_is_applied_that_is_not_satisfied()
        self.a_broken_glass_is_pending_or_settled()
        self.nobody_decides_on_their_own_matter()
        self.the_alias_points_at_what_was_applied_last()
        self.an_inbox_holds_what_its_owner_can_decide()
        self.the_ledger_tells_each_transition()

    # What must never happen.

    @invariant()
    def nothing_is_applied_that_is_not_satisfied(self):
        rows = ApprovalRequest.objects.filter(state="applied").exclude(pk__in=self.applied).order_by("closed_at", "pk")
        for request in rows:
            self.applied.add(request.pk)
            if not request.glass_broken:
                oracle(request)
            if request.renews_id is None:
                self.there = request.version_id

    @invariant()
    def a_broken_glass_is_pending_or_settled(self):
        for request in ApprovalRequest.objects.filter(glass_broken=True).exclude(pk__in=self.settled).order_by("pk"):
            assert request.state == "applied"
            if request.afterwards != "pending":
                self.settled.add(request.pk)
                if request.afterwards == "rolled_back" and self.there == request.version_id:
                    self.there = request.previous_version_id
                elif request.afterwards == "confirmed":
                    oracle(request, checks=False)

    @invariant()
    def nobody_decides_on_their_own_matter(self):
        for review in Review.objects.exclude(verdict="comment").exclude(pk__in=self.seen_reviews):
            self.seen_reviews.add(review.pk)
            own = concerned(review.request)
            assert review.reviewer_id not in own
            assert review.on_behalf_of_id not in own
            assert review.reviewer.kind == "person"

    @invariant()
    def the_alias_points_at_what_was_applied_last(self):
        alias = Alias.objects.filter(asset=self.world.asset, name="production").first()
        assert (alias.version_id if alias else None) == self.there

    @invariant()
    def the_ledger_tells_each_transition(self):
        told = {}
        applied = {}
        for event in AuditEvent.objects.filter(action__startswith="request.", target_kind="request").order_by("id"):
            number = int(event.target_id)
            state = (event.after or {}).get("state")
            if state:
                told[number] = state
            applied[number] = applied.get(number, 0) + (event.action == "request.applied")
        for number, state in ApprovalRequest.objects.values_list("pk", "state"):
            assert told[number] == state
            assert applied[number] == (state == "applied"), "one application, and its event"

    @invariant()
    def an_inbox_holds_what_its_owner_can_decide(self):
        if not self.fresh:
            return
        live = list(ApprovalRequest.objects.filter(state="open").select_related("team", "requested_by"))
        for name in NAMES:
            user = self.user(name)
            mine = set(approvals.inbox(Actor(user)).filter(state="open").values_list("pk", flat=True))
            for request in live:
                by = Actor(user)
                can = approvals.may_decide(request, by)[0] or bool(approvals.speaks_for(request, by))
                decided = request.reviews.filter(reviewer=user, replaced_at=None, stale_at=None).exclude(
                    verdict="comment"
                )
                waiting = bool(request.waits_for)
                if request.pk in mine:
                    assert can, (name, request.pk, request.waits_for, approvals.may_decide(request, by))
                elif can and waiting and not decided.exists():
                    represented = request.reviews.filter(on_behalf_of__isnull=False, replaced_at=None)
                    assert represented.exists(), (name, request.pk, request.waits_for)


def concerned(request):
    own = {*request.author_ids, request.requested_by_id}
    services = User.objects.filter(pk__in=own, kind="service")
    return own | set(ApiKey.objects.filter(user__in=services).values_list("made_by_id", flat=True))


def oracle(request, *, checks=True):
    """The policy as it is now, asked in another way: is there a selection of different people, one for each place?"""
    policy = Policy.objects.get(team_id=request.team_id, kind="model", stage="production").current
    newest = (
        Evidence.objects.filter(subject_digest=request.digest, payload__metrics__has_key="exact_match")
        .order_by("-id")
        .first()
    )
    asks_metric = any(check["type"] == "metric" for check in policy.checks)
    if asks_metric and checks:
        assert newest is not None
        assert newest.payload["metrics"]["exact_match"]["lower"] >= 0.9
    own = concerned(request)
    words = []
    for review in request.reviews.filter(verdict="approve", replaced_at=None).select_related(
        "reviewer", "on_behalf_of"
    ):
        speaker = review.on_behalf_of or review.reviewer
        seen = set(review.evidence_digests)
        now = {newest.digest} if asks_metric and newest else set()
        awaited = (
            newest is not None
            and request.apply_after_evaluation is not None
            and newest.payload["evaluation"] == request.apply_after_evaluation
        )
        if (
            review.digest == request.digest
            and review.policy_version_id == policy.pk
            and (seen == now or awaited)
            and speaker.is_active
            and review.reviewer.is_active
            and not {review.reviewer_id, speaker.pk} & own
        ):
            words.append(({review.reviewer_id, speaker.pk}, speaker))
    shape = policy.reviews.get("steps") or [policy.reviews]
    places = [step for step in shape for _ in range(step["count"])]
    team, escalated = request.team, request.escalated_at is not None and not request.glass_broken

    def fits(user, place):
        roles = {str(role) for role in roles_on(Actor(user), team)}
        if escalated and "admin" in roles:
            return True
        if "group" in place:
            return place["group"] in groups_of(user.pk, team.pk)
        return place["role"] in roles and "reviewer" in roles

    for chosen in itertools.permutations(words, len(places)):
        ids = [person for who, _ in chosen for person in who]
        if len(ids) == len(set(ids)) and all(
            fits(user, place) for (_, user), place in zip(chosen, places, strict=True)
        ):
            return
    raise AssertionError(f"request {request.pk} was applied without a satisfied policy")


@pytest.mark.django_db
@pytest.mark.slow
def test_random_people_cannot_get_past_the_rules(settings_storage):
    Machine.world = build()
    assert Grant.objects.exists()
    assert Group.objects.exists()
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=6,
            deadline=None,
            derandomize=EXAMPLES <= 16,
            database=None,
            phases=[Phase.generate] if EXAMPLES <= 16 else [Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def settings_storage(settings, tmp_path):
    settings.STORAGE = tmp_path / "storage"
