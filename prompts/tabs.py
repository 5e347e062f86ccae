"""The tabs of a prompt's page. Apps above this one add theirs when they start (AppConfig.ready); the page draws whatever is here."""

from collections.abc import Callable
from dataclasses import dataclass

from django.urls import reverse

from accounts.access import Actor
from prompts.models import Prompt


def _everyone(by: Actor, prompt: Prompt) -> bool:
    return True


@dataclass(frozen=True)
class Tab:
    """A page about one prompt: `url_name` takes `team` and `name`. `shown`: whether this person has use for it; the page itself
    checks what they may do."""

    key: str
    title: str
    url_name: str
    order: int
    shown: Callable[[Actor, Prompt], bool] = _everyone

    def address(self, prompt: Prompt) -> str:
        return reverse(self.url_name, args=[prompt.team.name, prompt.name])


_TABS: dict[str, Tab] = {}


def add_tab(
    key: str, title: str, url_name: str, order: int, *, shown: Callable[[Actor, Prompt], bool] = _everyone
) -> None:
    """One more tab; the same key again replaces it. Order: versions 10, graph 20, labels 30, tests 40, playground 50, usage 60,
    settings 90."""
    _TABS[key] = Tab(key, title, url_name, order, shown)


def tabs() -> list[Tab]:
    return sorted(_TABS.values(), key=lambda tab: (tab.order, tab.key))


def tab_address(key: str, prompt: Prompt, by: Actor) -> str:
    """Where a tab is, for a link to it; empty when nobody added it, or this person has no use for it."""
    tab = _TABS.get(key)
    return tab.address(prompt) if tab is not None and tab.shown(by, prompt) else ""
