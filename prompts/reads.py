"""Fetching through permission: what the caller may not see is not there."""

from collections.abc import Sequence

from django.db.models import Prefetch, Q, QuerySet

from accounts.access import Actor
from accounts.errors import NotFound
from prompts.checks import LATEST
from prompts.models import MAIN, Label, Prompt, PromptVersion


def list_prompts(by: Actor) -> QuerySet[Prompt]:
    """The prompts that the actor sees, with what a list shows; two queries for a page, however many there are."""
    labels = Label.objects.select_related("version").only("name", "prompt_id", "version__number").order_by("name")
    return (
        Prompt.objects.visible_to(by)
        .select_related("team", "updated_by")
        .prefetch_related(Prefetch("labels", queryset=labels))
    )


def get_prompt(by: Actor, address: str) -> Prompt:
    """The prompt at 'team/name'."""
    team, _, name = address.partition("/")
    prompt = (
        Prompt.objects.visible_to(by)
        .select_related("team", "created_by", "updated_by")
        .filter(team__name=team, name=name)
        .first()
    )
    if prompt is None:
        raise NotFound(f"There is no prompt '{address}' that you can see.")
    return prompt


def get_version(by: Actor, prompt: Prompt, number: int) -> PromptVersion:
    """A version of a prompt that the actor sees already."""
    version = (
        prompt.versions.select_related("created_by").filter(number=number, deleted_at=None).first()
        if number <= 2**31 - 1
        else None
    )
    if version is None:
        raise NotFound(f"{prompt} has no version {number}.")
    version.prompt = prompt
    return version


def resolve_label(by: Actor, address: str, label: str) -> PromptVersion:
    """The version that a label points at ('latest': the newest on main), in one statement. NotFound says which part is missing."""
    team, _, name = address.partition("/")
    visible = Prompt.objects.visible_to(by).filter(team__name=team, name=name)
    rows = PromptVersion.objects.select_related("prompt__team", "created_by").filter(
        prompt__in=visible, deleted_at=None
    )
    version = (
        rows.filter(branch=MAIN).order_by("-number") if label == LATEST else rows.filter(labels__name=label)
    ).first()
    if version is None:
        prompt = get_prompt(by, address)
        if label == LATEST:
            raise NotFound(f"{prompt} has no version yet.")
        raise NotFound(f"{prompt} has no label '{label}'.")
    return version


def labels_of(versions: Sequence[PromptVersion]) -> dict[int, list[str]]:
    """Label names by version id."""
    found: dict[int, list[str]] = {}
    rows = Label.objects.filter(version__in=versions).order_by("name").values_list("version_id", "name")
    for version_id, name in rows:
        found.setdefault(version_id, []).append(name)
    return found


def search_prompts(rows: QuerySet[Prompt], *, search: str = "", label: str = "") -> QuerySet[Prompt]:
    """Narrow a list: words in name or description, having a label."""
    for word in search.split()[:5]:
        rows = rows.filter(Q(name__icontains=word) | Q(description__icontains=word))
    return rows.filter(labels__name=label) if label else rows
