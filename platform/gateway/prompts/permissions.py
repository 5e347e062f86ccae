"""Who may hear of which prompt: asked when somebody begins to listen, at each change, and every few seconds."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import psycopg
from psycopg_pool import PoolTimeout

from accounts.grant_sql import GRANTS, covers, gives
from accounts.roles import SCOPE_PERMISSIONS, Permission, Scope
from gateway.access import KEY, Access, Caller
from gateway.errors import ApiError, not_permitted

_VIEW = gives(Permission.ASSET_VIEW)
_SCOPES = [scope.value for scope, allowed in SCOPE_PERMISSIONS.items() if Permission.ASSET_VIEW in allowed]
_ON_PROMPT = covers(app="prompts", model="prompt", kind="'prompt'", row="p")

_TEAM = f"""
WITH key AS ({KEY})
SELECT key.*, t.id AS team_id, t.name AS team,
       key.is_superuser OR EXISTS (SELECT 1 FROM {GRANTS} WHERE g.user_id = key.user_id AND g.team_id = t.id AND {_VIEW}) AS sees
FROM key LEFT JOIN accounts_team t
    ON t.name = COALESCE(%(team)s::text, key.key_team_name) AND (key.key_team IS NULL OR key.key_team = t.id)
"""  # noqa: S608  of constants
_GOOD = """k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
  AND (cardinality(k.scopes) = 0 OR k.scopes && %(scopes)s::varchar[])"""
# Of these keys, those that may see this prompt. A deleted one too: that it is gone is what they are told.
_MAY_SEE = f"""
SELECT k.id FROM accounts_apikey k JOIN accounts_user u ON u.id = k.user_id AND u.is_active, prompts_prompt p
WHERE k.id = ANY(%(keys)s) AND p.id = %(prompt)s AND {_GOOD} AND (k.team_id IS NULL OR k.team_id = p.team_id)
  AND (u.is_superuser OR EXISTS (SELECT 1 FROM {GRANTS} WHERE g.user_id = u.id AND g.team_id = p.team_id AND {_VIEW} AND {_ON_PROMPT}))
"""  # noqa: S608
# Of these pairs of key and team, those where the key is good and sees anything at all.
_STILL = f"""
SELECT n.key, n.team FROM unnest(%(keys)s::bigint[], %(teams)s::bigint[]) AS n(key, team)
JOIN accounts_apikey k ON k.id = n.key JOIN accounts_user u ON u.id = k.user_id AND u.is_active
WHERE {_GOOD} AND (k.team_id IS NULL OR k.team_id = n.team)
  AND (u.is_superuser OR EXISTS (SELECT 1 FROM {GRANTS} WHERE g.user_id = u.id AND g.team_id = n.team AND {_VIEW}))
"""  # noqa: S608
_NAMED = "SELECT id, name FROM prompts_prompt p WHERE p.team_id = %(team)s AND p.name = ANY(%(names)s) AND p.deleted_at IS NULL"


@dataclass(frozen=True)
class Listener:
    """A key that may listen to a team's prompts. `prompts`: to these alone, name by id; None: to all that it may see."""

    key_row: int
    key_id: str
    team_id: int
    team: str
    prompts: dict[int, str] | None


class Permissions:
    def __init__(self, access: Access) -> None:
        self._access = access

    async def listener(self, caller: Caller, team: str | None, names: Collection[str]) -> Listener:
        """Raises what is in the way: a bad key, a team or prompt that it can't see, a scope that leaves reading out."""
        row = (await self._access.with_key(caller, _TEAM, {"team": team}))[0]
        if row["team_id"] is None or not row["sees"]:
            if team is None and row["key_team"] is None:
                raise ApiError(400, "Say which team: ?team=NAME. This key is of no one team.", param="team")
            raise _nothing(f"There is no team '{team or row['key_team_name']}' whose prompts you can see.", "team")
        if row["scopes"] and not any(Permission.ASSET_VIEW in SCOPE_PERMISSIONS[Scope(one)] for one in row["scopes"]):
            why = f"which the scopes of this key ({', '.join(row['scopes'])}) leave out"
            raise not_permitted(Permission.ASSET_VIEW, why)
        prompts = await self._named(row["key_row"], row["team_id"], row["team"], names) if names else None
        return Listener(row["key_row"], row["key_id"], row["team_id"], row["team"], prompts)

    async def _named(self, key: int, team_id: int, team: str, names: Collection[str]) -> dict[int, str]:
        rows = await self._access.rows(_NAMED, {"team": team_id, "names": list(names)})
        seen = {row["id"]: row["name"] for row in rows if await self.may_see([key], row["id"])}
        if missing := sorted(set(names) - set(seen.values())):
            raise _nothing(f"There is no prompt '{team}/{missing[0]}' that you can see.", "prompt")
        return seen

    async def may_see(self, keys: Iterable[int], prompt_id: int) -> set[int]:
        """Those of the keys (their rows' ids) that may see the prompt now."""
        rows = await self._access.rows(_MAY_SEE, {"keys": list(keys), "prompt": prompt_id, "scopes": _SCOPES})
        return {row["id"] for row in rows}

    async def still(self, pairs: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
        """Those of the (key, team) that may still listen."""
        keys, teams = [key for key, _ in pairs], [team for _, team in pairs]
        rows = await self._access.rows(_STILL, {"keys": keys, "teams": teams, "scopes": _SCOPES})
        return {(row["key"], row["team"]) for row in rows}


Unanswered = (ApiError, psycopg.Error, PoolTimeout)


def _nothing(message: str, param: str) -> ApiError:
    return ApiError(404, message, code="not_found", param=param)
