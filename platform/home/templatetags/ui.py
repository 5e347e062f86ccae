"""The template tags of every page (built in: no `{% load %}`). docs/design.md shows each with an example."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django import template
from django.conf import settings
from django.forms import BoundField
from django.template.defaultfilters import filesizeformat
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from home import differences, markdown_html

register = template.Library()

# state -> (word, tone, icon). Tone and icon always go with the word: nothing is said by colour alone.
STATES: dict[str, tuple[str, str, str]] = {
    "draft": ("Draft", "quiet", "circle-dashed"),
    "registered": ("Registered", "good", "circle-check"),
    "queued": ("Queued", "quiet", "clock"),
    "starting": ("Starting", "busy", "loader-2"),
    "updating": ("Updating", "busy", "loader-2"),
    "stopping": ("Stopping", "busy", "loader-2"),
    "running": ("Running", "good", "player-play"),
    "succeeded": ("Succeeded", "good", "circle-check"),
    "failed": ("Failed", "bad", "circle-x"),
    "green": ("Green", "good", "circle-check"),
    "red": ("Red", "bad", "circle-x"),
    "cancelled": ("Cancelled", "quiet", "ban"),
    "stopped": ("Stopped", "quiet", "player-stop"),
    "open": ("Open", "info", "circle-dot"),
    "approved": ("Approved", "good", "check"),
    "applied": ("Applied", "good", "rubber-stamp"),
    "rejected": ("Rejected", "bad", "circle-x"),
    "withdrawn": ("Withdrawn", "quiet", "arrow-back-up"),
    "expired": ("Expired", "quiet", "hourglass"),
    "superseded": ("Superseded", "quiet", "git-merge"),
    "passed": ("Passed", "good", "circle-check"),
    "waiting": ("Waiting", "warn", "clock"),
    "active": ("Active", "good", "circle-check"),
    "revoked": ("Revoked", "quiet", "ban"),
    "failing": ("Failing", "bad", "alert-triangle"),
    "disabled": ("Disabled", "quiet", "ban"),
    "delivered": ("Delivered", "good", "circle-check"),
    "healthy": ("Healthy", "good", "circle-check"),
    "unhealthy": ("Unhealthy", "bad", "alert-triangle"),
    "approve": ("Approved", "good", "circle-check"),
    "reject": ("Rejected", "bad", "circle-x"),
    "comment": ("Commented", "quiet", "message-circle"),
    "changes": ("Changes asked", "warn", "edit"),
    "escalated": ("Escalated", "warn", "alert-triangle"),
    "glass_broken": ("Glass broken", "bad", "alert-triangle"),
    "confirmed": ("Confirmed", "good", "circle-check"),
    "rolled_back": ("Rolled back", "quiet", "arrow-back-up"),
    "planned": ("Planned", "info", "clock"),
    "over": ("Over", "quiet", "circle-minus"),
    "lapsed": ("Lapsed", "warn", "hourglass"),
    "added": ("Added", "good", "plus"),
    "removed": ("Removed", "bad", "minus"),
    "changed": ("Changed", "info", "pencil"),
}
# A job that runs is busy; a deployment that runs is well.
_BUSY_WHEN_RUNNING = {"job", "run", "evaluation"}
# A longer name may wrap: it would push a narrow page wide.
_LONG_NAME = 24
_STAGE_TONES = {"production": "production", "staging": "staging", "development": "development"}


@register.simple_tag
def icon(name: str, label: str = "", css: str = "") -> SafeString:
    """An icon of static/img/icons.svg; with a label it speaks, without one it is decoration."""
    speech = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    return format_html(
        '<svg class="icon {}" {}><use href="{}#{}"></use></svg>', css, speech, static("img/icons.svg"), name
    )


@register.simple_tag
def crumb(title: Any, address: str = "") -> SafeString:
    """One step of the breadcrumb; the last has no address."""
    if address:
        return format_html('<li><a href="{}">{}</a></li>', address, title)
    return format_html('<li aria-current="page"><span>{}</span></li>', title)


@register.simple_tag
def copy(text: Any, label: str = "Copy") -> SafeString:
    """A button that copies this text."""
    return format_html(
        '<button type="button" class="copy" data-copy="{}" aria-label="{}" title="{}">{}{}</button>',
        text, label, label, icon("copy", css="copy-idle"), icon("check", css="copy-done"),
    )  # fmt: skip


@register.simple_tag
def digest(value: Any, length: int = 12) -> SafeString:
    """A digest: its first 12 characters, whole on hover, with a copy button; a dash when there is none."""
    text = str(value or "")
    if not text:
        return mark_safe('<span class="text-secondary">–</span>')
    short = text.partition(":")[2] or text
    return format_html(
        '<span class="digest"><code title="{}">{}</code>{}</span>', text, short[:length], copy(text, "Copy digest")
    )


def relative(moment: datetime, now: datetime | None = None) -> str:
    """'3 minutes ago', 'in 2 hours'; the date alone when it is more than a month away."""
    seconds = int(((now or timezone.now()) - moment).total_seconds())
    ahead, seconds = seconds < 0, abs(seconds)
    if seconds < 45:
        return "in a moment" if ahead else "just now"
    for unit, size, limit in (("minute", 60, 3600), ("hour", 3600, 86400), ("day", 86400, 30 * 86400)):
        if seconds < limit - size // 2:
            count = max(1, round(seconds / size))
            words = f"{count} {unit}{'' if count == 1 else 's'}"
            return f"in {words}" if ahead else f"{words} ago"
    return f"{moment.astimezone(UTC):%-d %b %Y}"


@register.simple_tag
def when(moment: datetime | None, empty: str = "–") -> SafeString:
    """A time: relative, exact (UTC) on hover. static/js/app.js keeps it fresh."""
    if moment is None:
        return format_html('<span class="text-secondary">{}</span>', empty)
    exact = moment.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        exact.isoformat(),
        f"{exact:%Y-%m-%d %H:%M:%S} UTC",
        relative(moment),
    )


@register.filter
def filesize(size: int | None) -> str:
    return "–" if size is None else str(filesizeformat(size)).replace("\xa0", " ")


@register.simple_tag
def duration(seconds: float | timedelta | None) -> str:
    """A length of time as a person says it: 850 ms, 12.4 s, 3 min 20 s, 2 h 5 min."""
    if seconds is None:
        return "–"
    total = seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds)
    if total < 1:
        return f"{total * 1000:.0f} ms"
    if total < 60:
        return f"{total:.1f} s"
    minutes, rest = divmod(round(total), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


@register.simple_tag
def state_badge(state: Any, kind: str = "") -> SafeString:
    """The state of anything: a word, an icon and a tone. kind='job' makes 'running' busy instead of well."""
    key = str(state)
    word, tone, name = STATES.get(key, (key.replace("_", " ").capitalize(), "quiet", "circle"))
    if key == "running" and kind in _BUSY_WHEN_RUNNING:
        tone, name = "busy", "loader-2"
    return format_html(
        '<span class="state state-{}" data-state="{}">{}{}</span>',
        tone,
        key,
        icon(name, css="spin" if name == "loader-2" else ""),
        word,
    )


@register.simple_tag
def stage_badge(stage: Any, address: str = "") -> SafeString:
    """A stage or alias: its name on the stage's colour; a link when an address is given."""
    name = str(stage or "")
    if not name:
        return SafeString("")
    tone = _STAGE_TONES.get(name, "other")
    mark = icon("shield-lock") if name == "production" else icon("tag")
    if address:
        return format_html('<a class="stage stage-{}" href="{}">{}{}</a>', tone, address, mark, name)
    return format_html('<span class="stage stage-{}">{}{}</span>', tone, mark, name)


@register.simple_tag
def person(user: Any, you: Any = None) -> SafeString:
    """A person or service account: initials and name; 'system' when there is none."""
    if not user:
        return mark_safe(
            '<span class="person"><span class="avatar-mini avatar-system" aria-hidden="true">·</span>system</span>'
        )
    name = str(user)
    initials = getattr(user, "initials", None) or "".join(word[0] for word in name.split()[:2]).upper()
    hue = sum(ord(letter) * (place + 7) for place, letter in enumerate(name)) % 6
    return format_html(
        '<span class="person{}" title="{}"><span class="avatar-mini avatar-{}" aria-hidden="true">{}</span>{}</span>',
        " person-long" if len(name) > _LONG_NAME else "", getattr(user, "email", name), hue, initials,
        "you" if you is not None and you == user else name,
    )  # fmt: skip


@register.simple_tag
def diff(before: Any, after: Any, before_label: str = "before", after_label: str = "after") -> SafeString:
    """The difference of two texts (or of two JSON values): side by side on wide screens, inline on narrow ones."""
    return differences.render(differences.as_text(before), differences.as_text(after), before_label, after_label)


@register.filter
def markdown(text: str | None) -> SafeString:
    """Markdown as cleaned HTML."""
    return markdown_html.render(text or "")


@register.filter
def opening(text: str) -> str:
    """The first paragraph of a longer text, without the marks of Markdown: what stands in a narrow column."""
    first = re.split(r"\n\s*\n", text.strip()[:4000], maxsplit=1)[0]
    first = re.sub(r"(?m)^[ \t]*(?:[-*+]|\d{1,3}\.|#{1,6})[ \t]+|`|\*\*", "", first)
    return re.sub(r"\[([^\]\[]{1,300})\]\([^)\s]{1,300}\)", r"\1", first)


def _number(value: Any, percent: bool, digits: int) -> str:
    return f"{float(value) * 100:.{digits}f}" if percent else f"{float(value):.{digits}f}"


@register.simple_tag
def interval(
    value: Any, lower: Any = None, upper: Any = None, percent: bool = False, unit: str = "", digits: int | None = None
) -> SafeString:
    """A value with its confidence interval: **97.2 %** 94.6 – 98.6."""
    if value is None:
        return mark_safe('<span class="text-secondary">–</span>')
    places = digits if digits is not None else (1 if percent or abs(float(value)) >= 10 else 3)
    suffix = " %" if percent else (f" {unit}" if unit else "")
    head = format_html("<strong>{}{}</strong>", _number(value, percent, places), suffix)
    if lower is None or upper is None:
        return format_html('<span class="interval">{}</span>', head)
    return format_html(
        '<span class="interval" title="95 % confidence interval">{} <span class="interval-range">{} – {}</span></span>',
        head, _number(lower, percent, places), _number(upper, percent, places),
    )  # fmt: skip


@register.filter
def pretty_json(value: Any) -> str:
    """A JSON value, indented, for a <pre>."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=str)


@register.simple_tag
def chart(
    kind: str, series: Any, title: str = "", unit: str = "", x: str = "", height: int = 240, percent: bool = False,
    log: bool = False,
) -> SafeString:  # fmt: skip
    """A chart that loads when it is seen (static/js/chart.js). kind: line, bars or histogram; docs/design.md has the shapes.

    The page shows the numbers as a table beside it.
    """
    data = {"kind": kind, "title": title, "unit": unit, "x": x, "percent": percent, "log": log, "series": series}
    text = json.dumps(data, default=str).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    label = f"Chart: {title}" + (f" ({unit})" if unit else "")
    return format_html(
        '<div class="chart" data-chart role="img" aria-label="{}" style="height:{}px"><script type="application/json">{}</script></div>',
        label, height, mark_safe(text),
    )  # fmt: skip


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: Any) -> str:
    """The page's own query string with these parameters changed (None or '' leaves one out); cursors are dropped."""
    parameters = context["request"].GET.copy()
    parameters.pop("cursor", None)
    for name, value in changes.items():
        parameters.pop(name, None)
        if value not in (None, ""):
            parameters[name] = str(value)
    text = parameters.urlencode()
    return f"?{text}" if text else "?"


@register.simple_tag
def words(items: Any) -> SafeString:
    """Small grey words in a row, such as the scopes of a key."""
    return format_html_join(" ", '<span class="word">{}</span>', ((str(item),) for item in items or ()))


@register.simple_tag
def gateway_url() -> str:
    """The address that clients of the OpenAI protocol use."""
    return str(settings.GATEWAY_URL)


@register.simple_tag
def site_url() -> str:
    return str(settings.SITE_URL)


@register.simple_tag(takes_context=True)
def next_address(context: template.Context, following: str) -> str:
    """The address of a list's next page: the page's own query with this cursor."""
    if following.startswith(("?", "/")):
        return following
    parameters = context["request"].GET.copy()
    parameters["cursor"] = following
    return f"?{parameters.urlencode()}"


@register.simple_tag(takes_context=True)
def chips(context: template.Context, filters: Any) -> list[dict[str, str]]:
    """What is chosen in a filter row, each with the address of the page without it."""
    chosen = []
    for entry in filters or ():
        value = entry.get("value")
        if value in (None, ""):
            continue
        titles = {str(key): str(title) for key, title in entry.get("choices", ())}
        parameters = context["request"].GET.copy()
        for name in ("cursor", entry["name"]):
            parameters.pop(name, None)
        address = f"?{parameters.urlencode()}"
        chosen.append(
            {"label": entry.get("label") or "Search", "text": titles.get(str(value), str(value)), "address": address}
        )
    return chosen


@register.filter
def pattern(text: Any) -> str:
    """A text as an HTML pattern that only it matches."""
    return re.sub(r"([\^$\\.*+?()\[\]{}|/])", r"\\\1", str(text))


@register.simple_tag
def control(field: BoundField) -> SafeString:
    """A form field's control in our look, with what a screen reader needs."""
    widget = field.field.widget
    kind = getattr(widget, "input_type", "")
    css = {"select": "form-select", "checkbox": "form-check-input", "radio": "form-check-input"}.get(
        kind, "form-control"
    )
    if field.use_fieldset and kind in ("checkbox", "radio"):
        # Django gives what it is passed to the list around the choices as well; `.choices` styles these.
        return field.as_widget()
    attributes: dict[str, Any] = {"class": f"{css} {widget.attrs.get('class', '')}".strip()}
    if field.errors:
        attributes["class"] += " is-invalid"
    return field.as_widget(attrs=attributes)


# A brace ends the search, so that a text of nothing but braces is read once.
_TEMPLATE_TAG = re.compile(r"\{\{\{?[^{}]{1,500}\}?\}\}|\{%[^{}]{1,500}%\}|\{#[^{}]{0,500}#\}")


@register.filter
def template_tags(text: Any) -> SafeString:
    """A prompt's text with its variables and statements marked; what is no text is shown as JSON."""
    said = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False, indent=2)
    parts, end = [], 0
    for found in _TEMPLATE_TAG.finditer(said):
        kind = "variable" if found[0].startswith("{{") else "statement"
        parts.append(format_html('{}<span class="template-{}">{}</span>', said[end : found.start()], kind, found[0]))
        end = found.end()
    return mark_safe("".join(parts) + format_html("{}", said[end:]))  # each part was escaped


@register.simple_tag
def editor_modules() -> SafeString:
    """What the prompts' editor consists of, to be read in parallel rather than one import after the other."""
    ours = sorted(path.name for path in (settings.ROOT / "static/js/editor").glob("*.js"))
    names = ["vendor/codemirror.js", "vendor/codemirror-chunk.js", *(f"js/editor/{name}" for name in ours)]
    return format_html_join("", '<link rel="modulepreload" href="{}">', ((static(name),) for name in names))
