"""The page on which a request is decided, and the forms on it."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.authentication import actor_of
from accounts.errors import Problem
from accounts.pages import add_problem
from governance import actions, policies, quorum
from governance.candidates import candidates
from governance.models import ApprovalRequest
from home import approvals
from home.requests import detail
from home.requests.forms import AnswerForm, ReviewForm, SettleForm
from home.requests.wording import outcome

State = ApprovalRequest.State


@login_required
def request_detail(request: HttpRequest, request_id: int, form: Form | None = None, status: int = 200) -> HttpResponse:
    """The page on which a reviewer decides without opening another tab."""
    by = actor_of(request)
    shown = detail.read(by, approvals.get_request(by, request_id), everything="all" in request.GET)
    form = form or ReviewForm()
    decided = isinstance(form, ReviewForm) and form["verdict"].value() != "comment"
    context = {
        **vars(shown),
        "crumb": f"Request {request_id}",
        "form": form,
        "decision_comment": form["comment"] if decided else None,
    }
    return render(request, "home/requests/detail.html", context, status=status)


@login_required
@require_safe
def request_people(request: HttpRequest, request_id: int) -> HttpResponse:
    """Who could still decide, and whether that is enough: a part that the page fetches, as it asks for each person."""
    found = approvals.get_request(actor_of(request), request_id)
    context = {
        "approval": found,
        "crumb": f"Request {found.pk}",
        "address": f"/requests/{found.pk}",
        "waiting": candidates(found, policies.evaluate(found)) if quorum.is_live(found) else [],
    }
    template = "home/requests/people.html" if request.headers.get("HX-Request") else "home/requests/people_page.html"
    return render(request, template, context)


def _refused(request: HttpRequest, request_id: int, form: Form, problem: Problem) -> HttpResponse:
    """The page again, as it is now, with what was written and why it did not go through. What one may not do stays a 403."""
    if problem.status == 403:
        raise problem
    add_problem(form, problem)
    if problem.status == 409 and problem.detail not in form.non_field_errors():
        form.add_error(None, problem.detail)
    return request_detail(request, request_id, form, problem.status)


@login_required
@require_POST
def request_review(request: HttpRequest, request_id: int) -> HttpResponse:
    by = actor_of(request)
    found = approvals.get_request(by, request_id)
    form = ReviewForm(request.POST)
    if not form.is_valid():
        return request_detail(request, request_id, form, 422)
    given = form.cleaned_data
    try:
        done = approvals.decide(
            request=found,
            by=by,
            verdict=given["verdict"],
            comment=given["comment"],
            shown=given["shown"],
            on_behalf_of=approvals.delegator(found, given["on_behalf_of"], by),
        )
    except Problem as problem:
        return _refused(request, request_id, form, problem)
    messages.success(request, _said(done, given["verdict"]))
    return redirect("request-detail", request_id=request_id)


def _said(done: ApprovalRequest, verdict: str) -> str:
    if verdict == "comment":
        return "Comment added."
    if verdict == "changes":
        return f"Asked for changes: {done.requested_by} answers next."
    if done.state == State.APPLIED:
        return outcome(done)
    if done.state == State.APPROVED:
        return "Approved. It is applied when its time has come."
    if done.state == State.REJECTED:
        return "Rejected."
    return "Your approval counts. The policy asks for more."


@login_required
@require_POST
def request_settle(request: HttpRequest, request_id: int) -> HttpResponse:
    """After the glass was broken: confirm it, or roll it back."""
    by = actor_of(request)
    found = approvals.get_request(by, request_id)
    form = SettleForm(request.POST)
    if not form.is_valid():
        return request_detail(request, request_id, form, 422)
    given = form.cleaned_data
    try:
        done = approvals.settle_glass(
            request=found,
            verdict=given["verdict"],
            comment=given["comment"],
            by=by,
            on_behalf_of=approvals.delegator(found, given["on_behalf_of"], by),
        )
    except Problem as problem:
        return _refused(request, request_id, form, problem)
    said = {
        ApprovalRequest.Afterwards.CONFIRMED: "Confirmed.",
        ApprovalRequest.Afterwards.ROLLED_BACK: f"Rolled back: '{done.slot}' is where it was before.",
    }
    messages.success(request, said.get(ApprovalRequest.Afterwards(done.afterwards), "Noted. The policy asks for more."))
    return redirect("request-detail", request_id=request_id)


@login_required
@require_POST
def request_answer(request: HttpRequest, request_id: int) -> HttpResponse:
    """The requester answers those who asked for changes."""
    by = actor_of(request)
    found = approvals.get_request(by, request_id)
    form = AnswerForm(request.POST)
    if not form.is_valid():
        return request_detail(request, request_id, form, 422)
    try:
        actions.answer_changes(request=found, by=by, **form.cleaned_data)
    except Problem as problem:
        return _refused(request, request_id, form, problem)
    messages.success(request, "Answered. The reviewers are asked again.")
    return redirect("request-detail", request_id=request_id)


@login_required
@require_POST
def request_withdraw(request: HttpRequest, request_id: int) -> HttpResponse:
    by = actor_of(request)
    found = approvals.get_request(by, request_id)
    try:
        actions.withdraw(request=found, by=by)
    except Problem as problem:
        return _refused(request, request_id, ReviewForm(), problem)
    messages.success(request, "Request withdrawn.")
    return redirect("request-detail", request_id=request_id)
