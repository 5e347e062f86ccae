"""Pages: the inbox, asking for an approval, and the page on which it is decided."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.access import Actor, require_anywhere
from accounts.authentication import actor_of
from accounts.current import teams_of
from accounts.errors import Forbidden, Problem
from accounts.pages import add_problem
from accounts.roles import Permission
from governance import actions
from governance.models import ApprovalRequest
from home import approvals
from home.requests import detail, lists
from home.requests.forms import RequestForm, ReviewForm
from home.requests.wording import outcome
from prompts.models import Prompt
from registry.models import Asset


def may_ask(by: Actor) -> bool:
    """Is there anything that this person may ask a promotion of?"""
    try:
        require_anywhere(by, Permission.REQUEST_CREATE, Asset, Prompt)
    except Forbidden:
        return False
    return True


@login_required
@require_safe
def request_list(request: HttpRequest) -> HttpResponse:
    """The inbox: what waits for me, what I asked for, what is open, scheduled, broken, renewed or decided."""
    by = actor_of(request)
    tab = request.GET.get("tab", "") if request.GET.get("tab") in lists.TABS else "inbox"
    teams, _ = teams_of(request)
    counts = lists.counts(by)
    context = {
        "page": lists.page(by, tab, request.GET, teams),
        "tab": tab,
        "tabs": [(slug, title, counts.get(slug, 0)) for slug, title in lists.TABS.items()],
        "hidden": {"tab": tab} if tab != "inbox" else {},
        "may_ask": may_ask(by),
    }
    return render(request, "home/requests/list.html", context)


@login_required
def request_create(request: HttpRequest) -> HttpResponse:
    """Ask for a promotion; prefilled by the query (kind, asset, version, alias)."""
    by = actor_of(request)
    require_anywhere(by, Permission.REQUEST_CREATE, Asset, Prompt)
    if request.method == "POST":
        form = RequestForm(request.POST)
        if form.is_valid():
            try:
                made = approvals.open_request(by=by, **form.cleaned_data)
            except Problem as problem:
                if problem.link.startswith("/requests/") and problem.status == 409:
                    messages.info(request, problem.detail)
                    return redirect(problem.link)
                add_problem(form, problem)
            else:
                messages.success(request, "Request opened. The reviewers find it in their inbox.")
                return redirect("request-detail", request_id=made.pk)
    else:
        form = RequestForm(
            initial={"kind": "model"}
            | {key: value for key, value in request.GET.items() if key in RequestForm.base_fields}
        )
    context = {"form": form, "asset": request.GET.get("asset", ""), "version": request.GET.get("version", "")}
    return render(request, "home/requests/new.html", context, status=422 if form.errors else 200)


@login_required
def request_detail(request: HttpRequest, request_id: int, form: ReviewForm | None = None) -> HttpResponse:
    """The page on which a reviewer decides without opening another tab."""
    by = actor_of(request)
    shown = detail.read(by, approvals.get_request(by, request_id), everything="all" in request.GET)
    context = {**vars(shown), "crumb": f"Request {request_id}", "form": form or ReviewForm()}
    return render(request, "home/requests/detail.html", context, status=409 if form and form.errors else 200)


@login_required
@require_POST
def request_review(request: HttpRequest, request_id: int) -> HttpResponse:
    by = actor_of(request)
    found = approvals.get_request(by, request_id)
    form = ReviewForm(request.POST)
    if not form.is_valid():
        return request_detail(request, request_id, form)
    try:
        done = approvals.decide(request=found, by=by, **form.cleaned_data)
    except Problem as problem:
        form.add_error(None, problem.detail)
        return request_detail(request, request_id, form)
    said = {ApprovalRequest.State.APPLIED: outcome(done), ApprovalRequest.State.REJECTED: "Rejected."}
    messages.success(request, said.get(ApprovalRequest.State(done.state), "Noted."))
    return redirect("request-detail", request_id=request_id)


@login_required
@require_POST
def request_withdraw(request: HttpRequest, request_id: int) -> HttpResponse:
    by = actor_of(request)
    actions.withdraw(request=approvals.get_request(by, request_id), by=by)
    messages.success(request, "Request withdrawn.")
    return redirect("request-detail", request_id=request_id)
