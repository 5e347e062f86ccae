"""Pages: the card editor."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from accounts.access import require
from accounts.authentication import actor_of
from accounts.errors import Problem
from accounts.pages import add_problem
from accounts.roles import Permission
from registry import actions, cards
from registry.actions.versions import manifest_of
from registry.inspection.cards import MAX_CARD_BYTES
from registry.pages import asset_page
from registry.views.versions import find

_EMPTY = {
    "model": "# {name}\n\n## Intended use\n\n\n## Limits\n\n\n## Training data\n\n",
    "dataset": "# {name}\n\n## Intended use\n\n\n## Limits\n\n",
}


class CardForm(forms.Form):
    licence = forms.CharField(required=False, max_length=100, help_text="An SPDX name, such as apache-2.0.")
    languages = forms.CharField(required=False, max_length=500, help_text="Codes, separated by commas: en, de.")
    base_model = forms.CharField(
        required=False,
        max_length=500,
        help_text="What it was made from: team/name@alias, team/name:3, or a name outside.",
    )
    datasets = forms.CharField(
        required=False, max_length=2000, label="Trained on", help_text="Datasets, separated by commas: team/name:2."
    )
    metrics = forms.CharField(required=False, max_length=500, help_text="Separated by commas: accuracy, f1.")
    task = forms.CharField(required=False, max_length=100, help_text="Such as text-generation.")
    library = forms.CharField(required=False, max_length=100, help_text="Such as transformers.")
    tags = forms.CharField(required=False, max_length=2000, help_text="Words for searches, separated by commas.")
    body = forms.CharField(
        required=False,
        max_length=MAX_CARD_BYTES,
        label="Text (Markdown)",
        help_text="With the sections Intended use, Limits and, of a model, Training data.",
        widget=forms.Textarea({"rows": 20, "class": "mono", "spellcheck": "true"}),
    )


def _initial(text: str, kind: str, name: str) -> dict[str, str]:
    card = cards.structured(cards.readable(text))
    lists = {field: ", ".join(card[field]) for field in cards.LISTS}
    single = {field: str(card[field]) for field in cards.SINGLE}
    return {**lists, **single, "body": cards.body_of(text) or _EMPTY[kind].format(name=name)}


@login_required
def card_edit(request: HttpRequest, kind: str, team: str, name: str, number: int) -> HttpResponse:
    """The fields and the text of a draft's card. 'Preview' shows it and saves nothing."""
    by, version = actor_of(request), find(request, kind, team, name, number)
    require(by, Permission.ASSET_EDIT, version.asset)
    if version.is_registered:
        return redirect(f"{version.get_absolute_url()}#card")
    form = CardForm(
        request.POST if request.method == "POST" else None,
        initial=_initial(cards.of_draft(manifest_of(version)), kind, version.asset.name),
    )
    preview = None
    if form.is_bound and form.is_valid():
        fields = {key: value for key, value in form.cleaned_data.items() if key != "body"}
        body = form.cleaned_data["body"]
        try:
            if "preview" in request.POST:
                preview = cards.write(cards.of_draft(manifest_of(version)), fields, body)
                if request.headers.get("HX-Request"):
                    return render(request, "registry/card_preview.html", {"preview": preview})
            else:
                actions.write_card(version=version, fields=fields, body=body, by=by)
                messages.success(request, "The card is saved as README.md.")
                return redirect(version.get_absolute_url())
        except Problem as problem:
            add_problem(form, problem)
    page = asset_page(version.asset, "versions", by)
    page |= {"version": version, "version_title": f"Version {version.number}", "form": form, "preview": preview}
    return render(request, "registry/card_edit.html", page, status=422 if form.errors else 200)


@login_required
@require_POST
def card_renew(request: HttpRequest, kind: str, team: str, name: str, number: int) -> HttpResponse:
    """A new draft with the same files, to change the card in."""
    by, version = actor_of(request), find(request, kind, team, name, number)
    draft = actions.begin_from(version=version, message=f"Version {number} with a changed card", by=by)
    messages.success(
        request, f"Version {draft.number} has the files of version {number}. Change the card, then register it."
    )
    return redirect(f"{draft.get_absolute_url()}/card")
