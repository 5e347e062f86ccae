"""Branches: begun, written on, merged three ways; what two people do at once."""

import pytest

from accounts.access import Actor
from accounts.errors import Conflict, Forbidden, Invalid, NotFound
from prompts import actions
from prompts.ancestry import authors_of, graph_of
from prompts.models import PromptBranch, PromptVersion

pytestmark = pytest.mark.django_db
TEXT = "You are helpful.\n\nAnswer {{ question }}.\n\nBe brief.\n"


@pytest.fixture
def by(cast):
    return Actor(cast.alice)


@pytest.fixture
def prompt(cast, by):
    prompt = actions.create_prompt(team=cast.team, name="support/reply", by=by)
    write(prompt, by, TEXT, parameters={"temperature": 0})
    return prompt


def write(prompt, by, template, **more):
    return actions.create_version(prompt=prompt, type=more.pop("type", "text"), template=template, by=by, **more)


def branch(prompt, by, name="tone"):
    return actions.create_branch(prompt=prompt, name=name, start=prompt.versions.first(), by=by)


def test_versions_of_a_branch_follow_its_head_and_are_not_the_latest(prompt, by):
    branch(prompt, by)
    second = write(prompt, by, TEXT.upper().replace("{{ QUESTION }}", "{{ question }}"), branch="tone")
    third = write(prompt, by, TEXT + "Thanks.\n", branch="tone")
    assert (second.parent.number, third.parent.number, third.branch) == (1, 2, "tone")
    assert prompt.branches.get().head == third
    from prompts.reads import resolve_label

    assert resolve_label(by, "acme/support/reply", "latest").number == 1


def test_both_sides_changes_come_together(prompt, by):
    branch(prompt, by)
    write(prompt, by, TEXT.replace("brief", "brief and kind"), branch="tone", parameters={"temperature": 0, "seed": 1})
    write(prompt, by, TEXT.replace("helpful", "a helpful agent"), parameters={"temperature": 1})
    merged = actions.merge_branch(prompt=prompt, source="tone", by=by)
    assert merged.template == "You are a helpful agent.\n\nAnswer {{ question }}.\n\nBe brief and kind.\n"
    assert merged.parameters == {"temperature": 1, "seed": 1}
    assert (merged.branch, merged.parent.number, merged.merged.number) == ("main", 3, 2)
    assert prompt.branches.get().state == PromptBranch.State.MERGED
    with pytest.raises(Conflict, match="merged"):
        write(prompt, by, "x", branch="tone")


def test_a_clash_is_listed_and_decided(prompt, by):
    branch(prompt, by)
    write(prompt, by, TEXT.replace("Be brief.", "Be long."), branch="tone", parameters={"temperature": 2})
    write(prompt, by, TEXT.replace("Be brief.", "Be funny."), parameters={"temperature": 1})
    plan = actions.plan_merge(prompt=prompt, source="tone")
    keys = [clash.key for clash in plan.result.open]
    assert keys == ["template#1", "parameters.temperature"]
    clash = plan.result.open[0]
    assert (clash.base, clash.ours, clash.theirs) == ("Be brief.\n", "Be funny.\n", "Be long.\n")
    with pytest.raises(Conflict) as caught:
        actions.merge_branch(prompt=prompt, source="tone", by=by)
    assert set(caught.value.errors) == set(keys)
    merged = actions.merge_branch(
        prompt=prompt, source="tone", resolutions={keys[0]: "both", keys[1]: {"edit": 0.5}}, by=by
    )
    assert merged.template.endswith("Be funny.\nBe long.\n")
    assert merged.parameters == {"temperature": 0.5}


def test_a_result_that_does_not_parse_is_shown_and_not_saved(prompt, by):
    branch(prompt, by)
    write(prompt, by, TEXT.replace("Be brief.", "Be long."), branch="tone")
    write(prompt, by, TEXT.replace("Be brief.", "Be funny."))
    chosen = {"template#1": {"edit": "{{ open\n"}}
    plan = actions.plan_merge(prompt=prompt, source="tone", resolutions=chosen)
    assert "template" in plan.problem.errors
    with pytest.raises(Invalid):
        actions.merge_branch(prompt=prompt, source="tone", resolutions=chosen, by=by)
    assert prompt.branches.get().state == PromptBranch.State.OPEN


def test_who_comes_second_is_told(prompt, by):
    branch(prompt, by)
    write(prompt, by, TEXT + "More.\n", branch="tone")
    write(prompt, by, "New. " + TEXT)
    with pytest.raises(Conflict, match="Somebody was quicker") as caught:
        actions.merge_branch(prompt=prompt, source="tone", expected=(2, 1), by=by)
    assert caught.value.code == "moved_meanwhile"
    actions.merge_branch(prompt=prompt, source="tone", expected=(2, 3), by=by)
    with pytest.raises(Conflict, match="merged already"):
        actions.merge_branch(prompt=prompt, source="tone", expected=(2, 3), by=by)


def test_a_branch_alone_goes_forward_and_the_same_change_twice_makes_no_version(prompt, by):
    branch(prompt, by)
    write(prompt, by, TEXT + "More.\n", branch="tone")
    assert actions.plan_merge(prompt=prompt, source="tone").forward
    third = actions.merge_branch(prompt=prompt, source="tone", by=by)
    assert third.digest == prompt.versions.get(number=2).digest
    branch(prompt, by, "again")
    write(prompt, by, TEXT, branch="again")
    write(prompt, by, TEXT)
    count = PromptVersion.objects.count()
    assert actions.merge_branch(prompt=prompt, source="again", by=by) is None
    assert PromptVersion.objects.count() == count


def test_main_is_merged_into_a_branch_and_nothing_is_left_then(prompt, by):
    branch(prompt, by)
    write(prompt, by, TEXT + "More.\n", branch="tone")
    write(prompt, by, "New. " + TEXT)
    fourth = actions.merge_branch(prompt=prompt, source="main", target="tone", by=by)
    assert (fourth.branch, fourth.parent.number, fourth.merged.number) == ("tone", 2, 3)
    with pytest.raises(Conflict, match="already"):
        actions.merge_branch(prompt=prompt, source="main", target="tone", by=by)
    graph = graph_of(prompt)
    assert graph.base(fourth.pk, prompt.versions.get(number=3).pk) == prompt.versions.get(number=3).pk


def test_messages_are_merged_one_by_one(cast, by):
    prompt = actions.create_prompt(team=cast.team, name="chat", by=by)

    def chat(*messages):
        return [{"role": role, "content": content} for role, content in messages]

    write(prompt, by, chat(("system", "Be a helper."), ("user", "{{ q }}")), type="chat")
    branch(prompt, by)
    write(
        prompt, by, chat(("system", "Be a helper."), ("user", "Hi"), ("assistant", "Hello"), ("user", "{{ q }}")),
        type="chat", branch="tone",
    )  # fmt: skip
    write(prompt, by, chat(("system", "Be a good helper."), ("user", "{{ q }}")), type="chat")
    merged = actions.merge_branch(prompt=prompt, source="tone", by=by)
    assert [m["content"] for m in merged.template] == ["Be a good helper.", "Hi", "Hello", "{{ q }}"]


def test_a_merge_has_the_authors_of_what_it_merged(prompt, by, cast, actor):
    branch(prompt, by)
    write(prompt, by, TEXT + "More.\n", branch="tone")
    merged = actions.merge_branch(prompt=prompt, source="tone", by=Actor(cast.admin))
    assert authors_of(prompt, merged.digest) == {cast.alice.pk, cast.admin.pk}
    write(prompt, Actor(cast.admin), "Other. " + TEXT)
    branch(prompt, by, "two")
    write(prompt, by, "Other. " + TEXT + "And more.\n", branch="two")
    write(prompt, Actor(cast.admin), "Still other. " + TEXT)
    both = actions.merge_branch(prompt=prompt, source="two", by=Actor(cast.admin))
    assert cast.alice.pk in authors_of(prompt, both.digest)


def test_names_rights_and_ends_of_branches(prompt, by, cast):
    branch(prompt, by)
    for name in ("main", "tone"):
        with pytest.raises(Conflict, match="another name"):
            branch(prompt, by, name)
    with pytest.raises(Invalid):
        branch(prompt, by, "a b/c")
    with pytest.raises(Forbidden):
        branch(prompt, Actor(cast.victor), "other")
    with pytest.raises(Invalid, match="no branch"):
        write(prompt, by, "x", branch="nowhere")
    with pytest.raises(NotFound):
        actions.merge_branch(prompt=prompt, source="nowhere", by=by)
    actions.close_branch(prompt=prompt, name="tone", by=by)
    with pytest.raises(Conflict, match="closed"):
        write(prompt, by, "x", branch="tone")
    with pytest.raises(Conflict, match="closed"):
        actions.merge_branch(prompt=prompt, source="tone", by=by)


def test_a_branch_steps_back_when_its_head_is_deleted(prompt, by):
    branch(prompt, by)
    version = write(prompt, by, TEXT + "More.\n", branch="tone")
    actions.delete_version(version=version, by=by)
    assert prompt.branches.get().head.number == 1
    actions.restore_version(version=version, by=by)
    assert prompt.versions.filter(deleted_at=None).count() == 2
