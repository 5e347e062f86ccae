"""The kinds of notices, in the order of the page of preferences."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Stored with each notice and preference; a name that is given up stays here, commented."""

    REVIEW_WANTED = "review_wanted"
    DECISION = "decision"
    DISCUSSION = "discussion"
    MENTION = "mention"
    ESCALATION = "escalation"
    GLASS_BROKEN = "glass_broken"
    SHELF_LIFE = "shelf_life"
    DELEGATION = "delegation"
    ACCESS_WANTED = "access_wanted"
    ACCESS_DECIDED = "access_decided"
    KEY_USED = "key_used"
    WEBHOOK_DISABLED = "webhook_disabled"


@dataclass(frozen=True)
class About:
    """What a kind is for, and how it comes to those who said nothing."""

    title: str
    text: str
    on_page: bool = True
    by_mail: bool = True


ABOUT: dict[Kind, About] = {
    Kind.REVIEW_WANTED: About("A request waits for me", "Somebody asked for a change that you may review."),
    Kind.DECISION: About("My request was decided", "It was approved, applied, rejected, expired or superseded."),
    Kind.DISCUSSION: About(
        "A word on my request", "Somebody commented on a request of yours or asked for changes.", by_mail=False
    ),
    Kind.MENTION: About("Somebody mentions me", "Your address stands in a comment or a reason."),
    Kind.ESCALATION: About("A request is escalated", "It waited too long, and you are asked to look at it."),
    Kind.GLASS_BROKEN: About("The glass was broken", "Something was changed at once, without the reviews it needs."),
    Kind.SHELF_LIFE: About("An approval ran out", "What is in use needs a new approval."),
    Kind.DELEGATION: About("I am to stand in for somebody", "A colleague hands you their reviewing while away."),
    Kind.ACCESS_WANTED: About("Somebody asks for gated files", "You manage the team that they belong to."),
    Kind.ACCESS_DECIDED: About("My request for gated files was decided", "Access was given until a day, or refused."),
    Kind.KEY_USED: About(
        "A key of mine is used from a new address", "The first use of an API key from an address.", by_mail=False
    ),
    Kind.WEBHOOK_DISABLED: About("A webhook was disabled", "A team's webhook failed for days or is gone."),
}
