"""The pages of requests: the inbox, deciding, answering, broken glass, renewals, schedules and delegations."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone

import prompts.actions
from accounts.access import Actor
from accounts.actions import create_user, grant_role
from accounts.actions.groups import add_member, create_group
from governance import actions as governance
from governance.models import ApprovalRequest, Delegation, Review
from home import approvals

pytestmark = pytest.mark.django_db


@pytest.fixture
def story(cast):
    """A prompt of Alice's with three versions; nothing in production."""
    by = Actor(cast.alice)
    prompt = prompts.actions.create_prompt(team=cast.team, name="reply", by=by)
    for text in ("Hello", "Good day", "Dear {{ name }}"):
        prompts.actions.create_version(prompt=prompt, type="text", template=text, by=by)
    return SimpleNamespace(prompt=prompt, cast=cast, by=by, bob=Actor(cast.bob), admin=Actor(cast.admin))


def ask(story, version=1, **fields):
    return approvals.open_request(
        **{
            "kind": "prompt",
            "asset": "acme/reply",
            "version": version,
            "alias": "production",
            "reason": "better",
            "by": story.by,
            **fields,
        }
    )


def text_of(client, path, status=200):
    answer = client.get(path)
    assert answer.status_code == status
    return answer.content.decode()


def person(story, name, role="reviewer"):
    user = create_user(email=f"{name}@example.com", name=name.title(), password=story.cast.password, by=story.admin)
    grant_role(user=user, role=role, on=story.cast.team, by=story.admin)
    return user


# The inbox


def test_tabs_count_what_asks_for_something_to_be_done(story, client_of):
    ask(story, 1)
    later = ask(story, 2, apply_at=timezone.now() + timedelta(hours=1))
    approvals.decide(request=later, verdict="approve", comment="", by=story.bob)
    approvals.break_glass(
        kind="prompt",
        asset="acme/reply",
        version=3,
        alias="production",
        reason="Customers are insulted by it.",
        by=story.admin,
    )
    tabs = {slug: count for slug, _, count in client_of(story.cast.bob).get("/requests/").context["tabs"]}
    # Breaking the glass superseded both requests for the same label.
    assert tabs == {"inbox": 1, "mine": 0, "open": 0, "scheduled": 0, "glass": 1, "renewals": 0, "closed": 0}
    page = text_of(client_of(story.cast.bob), "/requests/?tab=glass")
    assert "Glass broken" in page and "to confirm it or roll it back" in page
    assert "Superseded" in text_of(client_of(story.cast.alice), "/requests/?tab=closed")


def test_the_badge_of_the_frame_says_the_same_as_the_inbox(story, client_of):
    ask(story)
    grant_role(user=story.cast.mallory, role="reviewer", on=story.prompt, by=story.admin)
    page = client_of(story.cast.mallory).get("/requests/")
    assert page.context["frame"].inbox == 1 == len(page.context["page"].rows)


def test_the_list_says_who_waits_for_whom(story, client_of):
    request = ask(story)
    assert "a reviewer" in text_of(client_of(story.cast.alice), "/requests/?tab=mine")
    approvals.decide(request=request, verdict="changes", comment="Shorter.", by=story.bob)
    assert "Alice to answer Bob" in text_of(client_of(story.cast.alice), "/requests/?tab=mine")
    assert "Nothing waits for you" in text_of(client_of(story.cast.bob), "/requests/")


def test_escalated_requests_stand_first_on_the_first_page_only(story, client_of):
    old = ask(story, 1)
    ask(story, 2)
    ApprovalRequest.objects.filter(pk=old.pk).update(escalated_at=timezone.now())
    rows = client_of(story.cast.bob).get("/requests/?tab=open").context["page"].rows
    assert [row.request.version_number for row in rows] == [1, 2]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=reply", 1), ("q=nothing", 0), ("kind=prompt", 1), ("kind=model", 0), ("stage=production", 1),
        ("stage=staging", 0), ("age=1", 0), ("age=never", 1), ("cursor=", 1),
    ],
)  # fmt: skip
def test_filters(story, client_of, query, found):
    ask(story)
    page = client_of(story.cast.bob).get(f"/requests/?tab=open&{query}")
    assert page.status_code == 200
    assert len(page.context["page"].rows) == found
    assert ("No request fits these filters" in page.content.decode()) is (found == 0)


def test_the_inbox_costs_the_same_with_one_and_with_many_requests(story, client_of, django_assert_max_num_queries):
    for number in range(50):
        request = ApprovalRequest.objects.create(
            team=story.cast.team, kind="prompt", asset_id=story.prompt.pk, asset_label="acme/reply", version_id=1, version_number=2,
            digest=f"sha256:{number:064x}", slot="production", stage="production", requested_by=story.cast.alice,
            waits_for=["role:reviewer"],
        )  # fmt: skip
        Review.objects.create(request=request, reviewer=story.cast.dana, verdict="approve", digest=request.digest)
    bob = client_of(story.cast.bob)
    bob.get("/requests/")
    with django_assert_max_num_queries(16):
        page = bob.get("/requests/")
    assert len(page.context["page"].rows) == 50


# The page of a request


def test_the_headline_says_what_moves_from_where_to_where(story, client_of):
    approvals.decide(request=ask(story, 1), verdict="approve", comment="", by=story.bob)
    page = text_of(client_of(story.cast.bob), f"/requests/{ask(story, 2).pk}")
    assert "Move production of acme/reply from version 1 to version 2" in page
    assert "<ins>Good</ins>" in page or "Good" in page
    assert "Approve" in page and "Ask for changes" in page


def test_changes_need_a_comment_and_the_requester_answers_them(story, client_of):
    request = ask(story)
    bob, alice = client_of(story.cast.bob), client_of(story.cast.alice)
    refused = bob.post(f"/requests/{request.pk}/review", {"verdict": "changes", "comment": " "})
    assert refused.status_code == 422
    assert "Say what should change." in refused.content.decode()
    bob.post(f"/requests/{request.pk}/review", {"verdict": "changes", "comment": "Greet by name."})
    page = text_of(alice, f"/requests/{request.pk}")
    assert "Changes were asked for" in page and "Answer, and ask again" in page
    assert "Answer, and ask again" not in text_of(bob, f"/requests/{request.pk}")
    empty = alice.post(f"/requests/{request.pk}/answer", {"reason": ""})
    assert empty.status_code == 422 and "Say what you changed" in empty.content.decode()
    assert alice.post(f"/requests/{request.pk}/answer", {"reason": "It does now."}).status_code == 302
    page = text_of(bob, f"/requests/{request.pk}")
    assert "answered the changes that were asked for" in page and page.count("It does now.") == 1
    assert bob.post(f"/requests/{request.pk}/answer", {"reason": "Mine"}).status_code == 403


def test_somebody_decided_a_second_before(story, client_of):
    request = ask(story)
    erin = person(story, "erin")
    approvals.decide(request=request, verdict="reject", comment="No.", by=Actor(erin))
    late = client_of(story.cast.bob).post(f"/requests/{request.pk}/review", {"verdict": "approve", "comment": "Mine"})
    assert late.status_code == 409
    assert "This request is rejected" in late.content.decode()


def test_what_changed_while_the_page_was_open_is_explained(story, client_of):
    request = ask(story)
    page = client_of(story.cast.bob)
    answer = page.post(
        f"/requests/{request.pk}/review", {"verdict": "approve", "shown": "sha256:of-old", "comment": "Fine."}
    )
    assert answer.status_code == 409
    said = answer.content.decode()
    assert "changed since you opened this page" in said
    assert "Fine." in said  # what was written is not lost
    assert not request.reviews.exists()


def test_ordered_steps_name_who_has_approved_and_who_may_still(story, client_of):
    legal = create_group(team=story.cast.team, slug="legal", by=story.admin)
    add_member(group=legal, user=story.cast.dana, by=story.admin)
    governance.create_policy(
        team=story.cast.team, kind="prompt", pattern="*", stage="production", checks=[], by=story.admin,
        reviews={"steps": [{"count": 1, "role": "reviewer"}, {"count": 1, "group": "legal"}], "ordered": True},
    )  # fmt: skip
    request = ask(story)
    approvals.decide(request=request, verdict="approve", comment="Fine", by=story.bob)
    page = text_of(client_of(story.cast.alice), f"/requests/{request.pk}")
    assert "Step 1:" in page and "Step 2:" in page
    people = text_of(client_of(story.cast.alice), f"/requests/{request.pk}/people")
    assert "Who can decide" in people and "Dana" in people
    part = (
        client_of(story.cast.alice)
        .get(f"/requests/{request.pk}/people", headers={"HX-Request": "true"})
        .content.decode()
    )
    assert "<html" not in part and 'id="who-may"' in part


def test_a_stale_approval_says_why_at_the_policy_and_in_the_time_line(story, client_of):
    person(story, "erin")
    person(story, "frida")
    policy = governance.create_policy(
        team=story.cast.team, kind="prompt", pattern="*", stage="production", checks=[],
        reviews={"count": 2, "role": "reviewer"}, by=story.admin,
    )  # fmt: skip
    request = ask(story)
    approvals.decide(request=request, verdict="approve", comment="Fine", by=story.bob)
    governance.update_policy(
        policy=policy, checks=[], reviews={"count": 2, "role": "reviewer"}, terms={"open_days": 9}, by=story.admin
    )
    page = text_of(client_of(story.cast.bob), f"/requests/{request.pk}")
    assert page.count("the policy changed to version 2") >= 2
    assert "changed the policy" in page


def test_the_comment_of_the_last_approval_is_said_once(story, client_of):
    request = ask(story, apply_at=timezone.now() + timedelta(hours=3))
    approvals.decide(request=request, verdict="approve", comment="Fine for tonight", by=story.bob)
    page = text_of(client_of(story.cast.alice), f"/requests/{request.pk}")
    assert page.count("Fine for tonight") == 1
    assert "gave the last approval" in page and "Applied " in page


def test_comments_are_escaped_and_mentions_marked(story, client_of):
    request = ask(story)
    approvals.decide(
        request=request, verdict="comment", comment="<script>x</script> @bob@example.com\nsee", by=story.by
    )
    page = text_of(client_of(story.cast.bob), f"/requests/{request.pk}")
    assert '&lt;script&gt;x&lt;/script&gt; <span class="mention">@bob@example.com</span><br>see' in page


def test_two_hundred_comments_are_a_page_and_a_button(story, client_of, django_assert_max_num_queries):
    request = ask(story)
    client = client_of(story.cast.bob)
    client.get(f"/requests/{request.pk}")
    Review.objects.bulk_create(
        Review(
            request=request,
            reviewer=story.cast.alice,
            verdict="comment",
            comment=f"Comment {number}.",
            digest=request.digest,
        )
        for number in range(200)
    )
    with django_assert_max_num_queries(45):
        page = client.get(f"/requests/{request.pk}").content.decode()
    assert "Comment 199." in page and "Comment 3." not in page and "earlier" in page
    assert "Comment 3." in text_of(client, f"/requests/{request.pk}?all=1")


def test_a_stranger_finds_no_page_of_it(story, client_of):
    request = ask(story)
    mallory = client_of(story.cast.mallory)
    for path in ("", "/people"):
        assert mallory.get(f"/requests/{request.pk}{path}").status_code == 404
    for path in ("review", "answer", "settle", "renew", "withdraw"):
        body = {"verdict": "approve", "comment": "x", "reason": "x"}
        assert mallory.post(f"/requests/{request.pk}/{path}", body).status_code == 404


# When it is applied


def test_an_application_at_a_time_is_asked_for_and_shown(story, client_of):
    at = timezone.now() + timedelta(days=2)
    form = {
        "kind": "prompt",
        "asset": "acme/reply",
        "version": 1,
        "alias": "production",
        "when": "time",
        "apply_at": f"{at:%Y-%m-%dT%H:%M}",
    }
    made = client_of(story.cast.alice).post("/requests/new", form)
    assert made.status_code == 302
    request = ApprovalRequest.objects.get()
    assert request.apply_at == at.replace(second=0, microsecond=0)
    approvals.decide(request=request, verdict="approve", comment="", by=story.bob)
    page = text_of(client_of(story.cast.alice), made["Location"])
    assert "Approved, and waits" in page and "UTC" in page
    assert "Scheduled" in text_of(client_of(story.cast.alice), "/requests/?tab=scheduled")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"when": "time"}, "Say at which time."),
        ({"when": "evaluation"}, "Say which evaluation."),
        ({"when": "time", "apply_at": "tomorrow"}, "Enter a valid date/time."),
        ({"when": "never"}, "Select a valid choice."),
        ({"version": "0"}, "greater than or equal to 1"),
    ],
)
def test_a_form_that_lacks_something_says_so_at_the_field(story, client_of, fields, error):
    form = {"kind": "prompt", "asset": "acme/reply", "version": 1, "alias": "production", **fields}
    answer = client_of(story.cast.alice).post("/requests/new", form)
    assert answer.status_code == 422
    assert error in answer.content.decode()
    assert not ApprovalRequest.objects.exists()


def test_fields_that_the_choice_leaves_out_are_not_looked_at(story, client_of):
    form = {
        "kind": "prompt",
        "asset": "acme/reply",
        "version": 1,
        "alias": "production",
        "when": "now",
        "apply_at": "nonsense",
    }
    assert client_of(story.cast.alice).post("/requests/new", form).status_code == 302
    assert ApprovalRequest.objects.get().apply_at is None


def test_the_form_completes_what_one_sees_and_says_what_is_there_now(story, client_of):
    approvals.decide(request=ask(story, 1), verdict="approve", comment="", by=story.bob)
    query = "kind=prompt&asset=acme/reply&version=2&alias=production"
    part = text_of(client_of(story.cast.alice), f"/requests/new/choices?{query}")
    assert "production of acme/reply points at version 1 now" in part
    assert '<option value="3">' in part
    assert "points at version 1 already" in text_of(
        client_of(story.cast.alice), f"/requests/new/choices?{query.replace('=2', '=1')}"
    )
    hidden = text_of(client_of(story.cast.mallory), f"/requests/new/choices?{query}")
    assert "that you can see" in hidden and '<option value="3">' not in hidden and 'acme/reply">' not in hidden
    for odd in ("asset=a/b/c", "version=9999999999999", "version=x", "kind=cat&asset=acme/reply", "asset=/"):
        assert client_of(story.cast.alice).get(f"/requests/new/choices?{odd}").status_code == 200


def test_a_prompt_in_a_folder_completes_its_versions(story, client_of):
    by = Actor(story.cast.alice)
    prompt = prompts.actions.create_prompt(team=story.cast.team, name="support/refunds/first", by=by)
    prompts.actions.create_version(prompt=prompt, type="text", template="Hello", message="The very first", by=by)
    query = "kind=prompt&asset=acme/support/refunds/first&version=1&alias=production"
    assert "The very first" in text_of(client_of(story.cast.alice), f"/requests/new/choices?{query}")


# Breaking the glass


def glass(**fields):
    return {
        "kind": "prompt", "asset": "acme/reply", "version": 1, "alias": "production", "typed": "acme/reply",
        "reason": "Customers are insulted by the old one.", **fields,
    }  # fmt: skip


def test_breaking_the_glass_is_slow_to_ask_for(story, client_of):
    admin = client_of(story.cast.admin)
    for fields, error in (
        ({"typed": "acme/other"}, "This is not acme/reply."),
        ({"reason": "urgent"}, "at least 20 characters"),
    ):
        answer = admin.post("/requests/glass", glass(**fields))
        assert answer.status_code == 422
        assert error in answer.content.decode()
    assert not ApprovalRequest.objects.exists()
    assert client_of(story.cast.alice).get("/requests/glass").status_code == 403
    assert client_of(story.cast.alice).post("/requests/glass", glass()).status_code == 403
    assert "Break the glass" not in text_of(client_of(story.cast.alice), "/requests/")


@pytest.mark.parametrize(
    ("verdict", "said"), [("confirm", "a reviewer confirmed it afterwards"), ("roll_back", "it was rolled back")]
)
def test_a_broken_glass_is_loud_and_settled_on_its_page(story, client_of, verdict, said):
    approvals.decide(request=ask(story, 2), verdict="approve", comment="", by=story.bob)
    made = client_of(story.cast.admin).post("/requests/glass", glass(), follow=True)
    page = made.content.decode()
    assert "The glass was broken: this was applied without a review" in page
    assert "Customers are insulted" in page
    address = made.redirect_chain[-1][0]
    assert "Was it right?" not in page
    bob = client_of(story.cast.bob)
    assert "Was it right?" in text_of(bob, address)
    silent = bob.post(f"{address}/settle", {"verdict": verdict, "comment": ""})
    assert silent.status_code == 422 and "Say what you found." in silent.content.decode()
    assert (
        said
        in bob.post(f"{address}/settle", {"verdict": verdict, "comment": "I looked."}, follow=True).content.decode()
    )
    again = bob.post(f"{address}/settle", {"verdict": verdict, "comment": "Once more."})
    assert again.status_code == 409


# Shelf life


def test_an_approval_that_lapses_is_renewed_from_its_page(story, client_of):
    governance.create_policy(
        team=story.cast.team, kind="prompt", pattern="*", stage="production", checks=[],
        reviews={"count": 1, "role": "reviewer"}, terms={"shelf_life_days": 30}, by=story.admin,
    )  # fmt: skip
    request = ask(story)
    approvals.decide(request=request, verdict="approve", comment="", by=story.bob)
    alice = client_of(story.cast.alice)
    page = text_of(alice, f"/requests/{request.pk}")
    assert "Approval good until" in page and "Ask for a renewal" in page
    assert "Ask for a renewal" not in text_of(client_of(story.cast.victor), f"/requests/{request.pk}")
    assert "good until" in text_of(alice, "/prompts/acme/reply/versions/1")
    renewal = alice.post(f"/requests/{request.pk}/renew", follow=True).content.decode()
    assert "Renew the approval of acme/reply version 1 for production" in renewal
    assert "only the evidence is new" in renewal
    assert "Ask for a renewal" not in text_of(alice, f"/requests/{request.pk}")
    assert "renewal" in text_of(client_of(story.cast.bob), "/requests/?tab=renewals")
    assert alice.post(f"/requests/{request.pk}/renew", follow=True).status_code == 200


# Changes


def test_requests_for_a_role_are_shown_as_who_gets_what(story, client_of):
    governance.create_policy(
        team=story.cast.team, kind="role", pattern="reviewer", stage="", checks=[],
        reviews={"count": 1, "role": "reviewer"}, by=story.admin,
    )  # fmt: skip
    request = approvals.open_role(
        team=story.cast.team, person=story.cast.victor, role="reviewer", reason="", stage="production", by=story.admin
    )
    page = text_of(client_of(story.cast.bob), f"/requests/{request.pk}")
    assert "Give victor@example.com the role reviewer on acme at production" in page
    assert "viewer on acme" in page and "reviewer on acme at production" in page
    assert "Give victor@example.com the role" in text_of(client_of(story.cast.bob), "/requests/")


# Delegations


def delegation(story, **fields):
    now = timezone.now()
    form = {
        "to": create_or_get(story).email, "starts_at": f"{now - timedelta(minutes=5):%Y-%m-%dT%H:%M}",
        "ends_at": f"{now + timedelta(days=5):%Y-%m-%dT%H:%M}", "reason": "on holiday", **fields,
    }  # fmt: skip
    return form


def create_or_get(story):
    from accounts.models import User

    return User.objects.filter(email="erin@example.com").first() or person(story, "erin")


def test_a_reviewer_hands_over_and_the_colleague_decides_in_both_names(story, client_of):
    bob, erin = client_of(story.cast.bob), client_of(create_or_get(story))
    assert bob.post("/settings/delegations/", delegation(story)).status_code == 302
    assert "Erin" in text_of(bob, "/settings/delegations/")
    assert "You review for <strong>Bob</strong>" in text_of(erin, "/requests/")
    request = ask(story)
    page = text_of(erin, f"/requests/{request.pk}")
    assert "on behalf of Bob" in page
    done = erin.post(
        f"/requests/{request.pk}/review",
        {"verdict": "approve", "comment": "", "on_behalf_of": "bob@example.com"},
        follow=True,
    )
    assert "approved on behalf of Bob" in done.content.decode()
    assert "by Erin on behalf of Bob" in text_of(erin, "/prompts/acme/reply/versions/1")
    assert str(request) in text_of(bob, "/settings/delegations/")


def test_a_name_that_handed_over_nothing_is_refused(story, client_of):
    request = ask(story)
    answer = client_of(story.cast.bob).post(
        f"/requests/{request.pk}/review", {"verdict": "approve", "on_behalf_of": "dana@example.com"}
    )
    assert answer.status_code == 400
    assert "has not handed you their reviewing" in answer.content.decode()
    assert not Review.objects.exists()


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"to": ""}, "This field is required."),
        ({"to": "999999"}, "Select a valid choice."),
        ({"ends_at": "2020-01-01T00:00"}, "The end comes after the beginning."),
        ({"starts_at": "soon"}, "Enter a valid date/time."),
    ],
)
def test_a_delegation_that_makes_no_sense_says_why_at_the_field(story, client_of, fields, error):
    answer = client_of(story.cast.bob).post("/settings/delegations/", delegation(story, **fields))
    assert answer.status_code == 422
    assert error in answer.content.decode()
    assert not Delegation.objects.exists()


def test_a_circle_is_refused_on_the_page(story, client_of):
    erin = create_or_get(story)
    client_of(story.cast.bob).post("/settings/delegations/", delegation(story))
    back = client_of(erin).post("/settings/delegations/", delegation(story, to=story.cast.bob.email))
    assert back.status_code == 422
    assert "circle" in back.content.decode()


def test_who_gave_it_or_received_it_ends_it_and_nobody_else(story, client_of):
    client_of(story.cast.bob).post("/settings/delegations/", delegation(story))
    row = Delegation.objects.get()
    assert client_of(story.cast.alice).post(f"/settings/delegations/{row.pk}/end").status_code == 404
    assert client_of(create_or_get(story)).post(f"/settings/delegations/{row.pk}/end").status_code == 302
    row.refresh_from_db()
    assert row.ended_at is not None
    assert client_of(story.cast.alice).post("/settings/delegations/999/end").status_code == 404


def test_who_reviews_nothing_has_nothing_to_hand_over(story, client_of):
    assert "nothing to hand over" in text_of(client_of(story.cast.alice), "/settings/delegations/")
    assert client_of(story.cast.alice).post("/settings/delegations/", delegation(story)).status_code == 403


# What a prompt's request changes


def test_a_prompts_request_shows_all_that_differs(story, client_of):
    chat = prompts.actions.create_prompt(team=story.cast.team, name="chat", by=story.by)
    system = {"role": "system", "content": "Be kind."}
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    tool = {"type": "function", "function": {"name": "refund", "parameters": {"type": "object"}}}
    write = {"prompt": chat, "type": "chat", "by": story.by}
    prompts.actions.create_version(**write, template=[system, {"type": "placeholder", "name": "history"}])
    prompts.actions.create_version(
        **write,
        template=[system, {"role": "user", "content": [{"type": "text", "text": "Ask {{ who }}"}, image]}],
        inputs=[{"name": "who", "type": "string", "description": "The customer"}],
        tools=[tool],
        response_format={"type": "json_object"},
        model="acme/writer",
        parameters={"temperature": 0.5},
    )
    first = ask(story, 1, asset="acme/chat")
    page = text_of(client_of(story.cast.bob), f"/requests/{first.pk}")
    assert "[messages: history]" in page and "Be kind." in page
    approvals.decide(request=first, verdict="approve", comment="", by=story.bob)
    second = ask(story, 2, asset="acme/chat")
    page = text_of(client_of(story.cast.bob), f"/requests/{second.pk}")
    for said in ("Ask {{ who }}", "[image] https://example.com/a.png", "refund", "json_object", "acme/writer", "temperature",
                 "The customer", "2 messages, model, response format, inputs, tools, model parameters"):  # fmt: skip
        assert said in page, said
    assert "{&#x27;type&#x27;" not in page


def test_the_page_says_what_is_missing_once_and_who_may_give_it(story, client_of):
    request = ask(story)
    for who in (story.cast.alice, story.cast.bob, story.cast.victor):
        page = text_of(client_of(who), f"/requests/{request.pk}")
        assert page.count("review by a reviewer") == 1
    people = client_of(story.cast.bob).get(f"/requests/{request.pk}/people", headers={"HX-Request": "true"})
    assert "Bob" in people.content.decode() and "review by a reviewer" not in people.content.decode()


def test_at_a_glance_what_changes_for_whom_and_what_is_red(story, client_of):
    by = story.by
    tone = prompts.actions.create_prompt(team=story.cast.team, name="tone", by=by)
    first = prompts.actions.create_version(prompt=tone, type="text", template="Kind", by=by)
    approvals.decide(request=ask(story, first.number, asset="acme/tone"), verdict="approve", comment="", by=story.bob)
    text = '{% include "tone@production" %} Hello'
    prompts.actions.create_version(prompt=story.prompt, type="text", template=text, by=by)
    prompts.actions.create_version(prompt=tone, type="text", template="Curt", parameters={"top_p": 1}, by=by)
    governance.create_policy(
        team=story.cast.team, kind="prompt", pattern="*", stage="production", checks=[{"type": "prompt_tests"}],
        reviews={"count": 1, "role": "reviewer"}, by=story.admin,
    )  # fmt: skip
    request = ask(story, 2, asset="acme/tone")
    page = text_of(client_of(story.cast.bob), f"/requests/{request.pk}")
    glance = page[page.index('class="glance"') : page.index("</dl>", page.index('class="glance"'))]
    assert "the text, model parameters" in glance
    assert "1 other prompt too" in glance and 'id="composition"' in page
    assert "0 of 1 checks pass" in glance and "glance-bad" in glance
