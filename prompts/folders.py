"""Folders of prompts: they are where names stand, and nothing else. One statement, whose cost does not grow with the prompts in them."""

from dataclasses import dataclass

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Substr

from accounts.access import Actor, can
from accounts.models import Team
from accounts.roles import Permission
from prompts.models import Prompt

MOST = 200  # folders in one folder that are shown
COUNTED = 1_000  # prompts in a folder that are counted

# From one folder's name to the next by the index (team, folder): text is in byte order, so all that begins with 'a/b/' lies between
# that and 'a/b0'. A folder 'a/b c' lies between 'a/b' and 'a/b/': a name may come twice, and is taken once.
_FIND = """
WITH RECURSIVE walk(at, part, steps) AS (
    (SELECT folder, split_part(substr(folder, %(skip)s), '/', 1), 1 FROM prompts_prompt
     WHERE team_id = %(team)s AND folder >= %(first)s AND folder < %(end)s {live} ORDER BY folder LIMIT 1)
    UNION ALL
    SELECT following.folder, split_part(substr(following.folder, %(skip)s), '/', 1), walk.steps + 1
    FROM walk CROSS JOIN LATERAL (
        SELECT folder FROM prompts_prompt
        WHERE team_id = %(team)s AND folder < %(end)s {live} AND folder > CASE WHEN walk.at = %(prefix)s || walk.part
            THEN walk.at ELSE %(prefix)s || walk.part || '/' || %(last)s END
        ORDER BY folder LIMIT 1
    ) following WHERE walk.steps < %(most)s
), parts AS (SELECT DISTINCT part FROM walk)
SELECT part, (SELECT count(*) FROM (
    (SELECT 1 FROM prompts_prompt WHERE team_id = %(team)s AND folder = %(prefix)s || part {live} LIMIT %(counted)s)
    UNION ALL
    (SELECT 1 FROM prompts_prompt WHERE team_id = %(team)s AND folder > %(prefix)s || part || '/'
     AND folder < %(prefix)s || part || '0' {live} LIMIT %(counted)s)
) inside) FROM parts ORDER BY part LIMIT %(shown)s
"""
_LAST = "\U0010ffff"  # after every letter
_LIVE = "AND deleted_at IS NULL AND archived_at IS NULL"


@dataclass(frozen=True)
class Folder:
    """A folder in another: its name there, its whole path, and how many prompts are in it and below; `more`: that many at least."""

    name: str
    path: str
    count: int
    more: bool = False


def folders_in(by: Actor, team: Team, rows: QuerySet[Prompt], folder: str = "") -> list[Folder]:
    """The folders right in this one ('' is the top), in order of names, as far as the actor sees prompts in them (`rows`: those that
    they see, of the team). One query."""
    prefix = f"{folder}/" if folder else ""
    if not can(by, Permission.ASSET_VIEW, team):
        return _seen(rows, folder, prefix)
    values: dict[str, str | int] = {
        "team": team.pk, "prefix": prefix, "skip": len(prefix) + 1, "first": prefix or "!",
        "end": f"{folder}0" if folder else _LAST, "last": _LAST, "most": 2 * MOST, "shown": MOST, "counted": COUNTED,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_FIND.format(live=_LIVE), values)
        found = cursor.fetchall()
    return [_made(prefix, part, count) for part, count in found if part]


def _made(prefix: str, part: str, count: int) -> Folder:
    return Folder(part, prefix + part, min(count, COUNTED), more=count >= COUNTED)


def _seen(rows: QuerySet[Prompt], folder: str, prefix: str) -> list[Folder]:
    """For whoever sees some prompts of the team only, by grants of their own: at most as many as lists name by id."""
    inside = rows.filter(archived_at=None).exclude(folder=folder)
    if prefix:
        inside = inside.filter(folder__gt=prefix, folder__lt=f"{folder}0")
    counts: dict[str, int] = {}
    for rest in inside.order_by().values_list(Substr("folder", len(prefix) + 1), flat=True)[:2_001]:
        part = rest.split("/")[0]
        counts[part] = counts.get(part, 0) + 1
    return [_made(prefix, part, counts[part]) for part in sorted(counts)[:MOST]]
