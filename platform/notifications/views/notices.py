"""Pages of one's notices, and how one gets them."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.authentication import actor_of
from accounts.rest import keyset_page
from notifications import actions, mailer, reads
from notifications.kinds import ABOUT


@login_required
@require_safe
def notice_list(request: HttpRequest) -> HttpResponse:
    by, unread = actor_of(request), request.GET.get("unread") == "1"
    rows, following = keyset_page(
        reads.notices_of(by, unread=unread), order=["-id"], cursor=request.GET.get("cursor", "")
    )
    return render(
        request, "notifications/notice_list.html", {"notices": rows, "next": following, "only_unread": unread}
    )


@login_required
@require_safe
def notice_open(request: HttpRequest, notice_id: int) -> HttpResponse:
    """Go to what a notice is about; it then counts as read."""
    by = actor_of(request)
    notice = reads.get_notice(by, notice_id)
    actions.mark_read(by=by, notice_ids=[notice.pk])
    return redirect(notice.link or "notice-list")


@login_required
@require_POST
def notices_read(request: HttpRequest) -> HttpResponse:
    """Mark one (`id`) or all as read."""
    chosen = request.POST.get("id", "")
    ids = [int(chosen)] if chosen.isdecimal() and len(chosen) < 19 else None
    actions.mark_read(by=actor_of(request), notice_ids=ids)
    return redirect("notice-list")


@login_required
def preferences(request: HttpRequest) -> HttpResponse:
    by = actor_of(request)
    if request.method == "POST":
        choices = {
            kind.value: {"on_page": f"{kind}-page" in request.POST, "by_mail": f"{kind}-mail" in request.POST}
            for kind in ABOUT
        }
        actions.choose_notices(choices=choices, by=by)
        messages.success(request, "Your notifications are saved.")
        return redirect("settings-notifications")
    context = {
        "choices": reads.choices_of(by),
        "sends_mail": mailer.configured(),
        "email": by.user.email if by.user else "",
    }
    return render(request, "notifications/preferences.html", context)
