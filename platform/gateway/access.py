"""Who calls, and what they may call: one SQL statement per request, by the same table of roles as everywhere else."""

import asyncio
import hmac
import logging
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import unquote

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from accounts.grant_sql import GRANTS, covers, gives
from accounts.key_format import from_header, hash_secret, split_key
from accounts.networks import allows
from accounts.roles import SCOPE_PERMISSIONS, Permission, Scope
from accounts.tickets import Ticket
from gateway.errors import ApiError, no_such_model, not_permitted, wrong_key

log = logging.getLogger(__name__)

# The names of accounts.models.NAME_PATTERN.
_NAME = r"[a-z0-9](?:[a-z0-9._-]{0,94}[a-z0-9])?"
_MODEL_ID = re.compile(rf"(?:(?P<team>{_NAME})/)?(?P<name>{_NAME})")
_WAIT_S = 5

KEY = """
    SELECT k.id AS key_row, k.key_id, k.secret_sha256, k.team_id AS key_team, k.scopes, k.networks,
           EXISTS (SELECT 1 FROM accounts_keyaddress a WHERE a.key_id = k.id AND a.address = %(address)s AND NOT a.refused) AS known,
           k.revoked_at IS NOT NULL AS revoked, COALESCE(k.expires_at <= now(), false) AS expired,
           COALESCE(k.last_used_at < now() - interval '1 minute', true) AS stale,
           u.id AS user_id, u.is_active, u.is_superuser, t.name AS key_team_name
    FROM accounts_apikey k JOIN accounts_user u ON u.id = k.user_id LEFT JOIN accounts_team t ON t.id = k.team_id
    WHERE k.key_id = %(key_id)s
"""


def _granted(permission: Permission, row: str) -> str:
    """A query that finds something where the key's person has the permission on the deployment `row`."""
    there = covers(app="serving", model="deployment", kind="'deployment'", row=row)
    return (
        f"SELECT 1 FROM {GRANTS} WHERE g.user_id = key.user_id AND g.team_id = {row}.team_id "  # noqa: S608  constants
        f"AND {gives(permission, stage=f'{row}.stage')} AND {there}"
    )


def _call(key: str, which: str, *, besides: str = "false") -> str:
    """The caller, and beside them the deployment that they ask for, and whether they see and may invoke it."""
    return f"""
WITH key AS ({key}), found AS (
    SELECT d.id, d.stage, d.purpose, d.id AS deployment, d.team_id, t.name AS team, d.name, d.state, d.endpoint, d.message,
           extract(epoch FROM d.created_at)::bigint AS created
    FROM key, serving_deployment d JOIN accounts_team t ON t.id = d.team_id
    WHERE {which} AND (key.key_team IS NULL OR key.key_team = d.team_id)
)
SELECT key.*, found.*,
    {besides} OR key.is_superuser OR EXISTS ({_granted(Permission.DEPLOYMENT_VIEW, "found")}) AS sees,
    {besides} OR key.is_superuser OR EXISTS ({_granted(Permission.MODEL_INVOKE, "found")}) AS invokes
FROM key LEFT JOIN found ON true
"""  # noqa: S608  # of this file's own constants


_CALL = _call(
    KEY, "d.name = %(name)s AND d.purpose = 'serving' AND t.name = COALESCE(%(team)s::text, key.key_team_name)"
)
# Whom a ticket is for, as a key is read. The key that a run was started with narrows it as ever; one that is gone makes it void.
_BEARER = """
    SELECT COALESCE(k.id, 0) AS key_row, COALESCE(k.key_id, '') AS key_id, k.team_id AS key_team, COALESCE(k.scopes, '{}') AS scopes,
           k.revoked_at IS NOT NULL OR %(key)s > 0 AND k.id IS NULL AS revoked, COALESCE(k.expires_at <= now(), false) AS expired,
           u.id AS user_id, u.is_active, u.is_superuser
    FROM accounts_user u LEFT JOIN accounts_apikey k ON k.id = %(key)s AND k.user_id = u.id
    WHERE u.id = %(user)s
"""
# A model under evaluation has no door of its own: whoever may evaluate it was asked by the job, which alone can write the ticket.
_CALL_BY_TICKET = _call(_BEARER, "d.id = %(deployment)s", besides="found.purpose = 'evaluation'")

# The key, and beside it each deployment that answers and that the caller may invoke.
_LIST = f"""
WITH key AS ({KEY})
SELECT key.*, d.name, d.team, d.created
FROM key LEFT JOIN LATERAL (
    SELECT d.name, t.name AS team, extract(epoch FROM d.created_at)::bigint AS created
    FROM serving_deployment d JOIN accounts_team t ON t.id = d.team_id
    WHERE d.purpose = 'serving' AND d.endpoint <> '' AND (key.key_team IS NULL OR key.key_team = d.team_id) AND (
        key.is_superuser OR EXISTS ({_granted(Permission.MODEL_INVOKE, "d")})
    )
    ORDER BY t.name, d.name LIMIT 1000
) d ON true
"""  # noqa: S608  # of this file's own constants

_USED = """
UPDATE accounts_apikey SET last_used_at = now(), last_used_from = %(address)s
WHERE id = %(key)s AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
"""
# What the ledger shall know: a task of the site writes the events of rows that are not recorded yet.
_FIRST_USE = """
INSERT INTO accounts_keyaddress (key_id, address, refused, at, recorded) VALUES (%(key)s, %(address)s, false, now(), false)
ON CONFLICT (key_id, address, refused) DO NOTHING
"""
_REFUSED = """
INSERT INTO accounts_keyaddress (key_id, address, refused, at, recorded) VALUES (%(key)s, %(address)s, true, now(), false)
ON CONFLICT (key_id, address, refused) DO UPDATE SET at = now(), recorded = false
WHERE accounts_keyaddress.at < now() - interval '1 minute'
"""

Row = dict[str, Any]
Pool = AsyncConnectionPool[psycopg.AsyncConnection[Row]]


@dataclass(frozen=True)
class Caller:
    """What a request says about who sends it."""

    authorization: str
    address: str = ""
    ticket: Ticket | None = None  # that the platform wrote itself


@dataclass(frozen=True)
class Target:
    """A deployment that the caller may invoke and that answers."""

    team: str
    name: str
    created: int
    endpoint: str

    @property
    def model(self) -> str:
        return f"{self.team}/{self.name}"

    @property
    def card(self) -> dict[str, Any]:
        return {"id": self.model, "object": "model", "created": self.created, "owned_by": self.team}


class Access:
    """Reads keys, roles and deployments through a pool of its own."""

    def __init__(self, database_url: str, pool_size: int) -> None:
        self._pool: Pool = AsyncConnectionPool(
            database_url,
            min_size=1,
            max_size=pool_size,
            open=False,
            timeout=_WAIT_S,
            # One statement, no transaction: three round trips less.
            kwargs={"autocommit": True, "row_factory": dict_row, "prepare_threshold": 0},
        )
        self._errands: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        await self._pool.open(wait=False)

    async def close(self) -> None:
        for errand in self._errands:
            errand.cancel()
        await self._pool.close()

    async def ready(self) -> bool:
        try:
            await self.rows("SELECT 1 AS one", {})
        except ApiError:
            return False
        return True

    async def check(self, caller: Caller) -> None:
        """Raises unless the key is good."""
        await self.with_key(caller, KEY, {})

    async def target(self, caller: Caller, model: str) -> Target:
        """The deployment behind a model id, for this caller; raises what is in the way."""
        if caller.ticket is not None:
            return _target(await self._by_ticket(caller.ticket), model)
        model = unquote(model) if "%" in model else model
        parts = _MODEL_ID.fullmatch(model)
        name, team = (parts["name"], parts["team"]) if parts else ("", None)
        row = (await self.with_key(caller, _CALL, {"name": name, "team": team}))[0]
        if row["deployment"] is None and parts is not None and team is None and row["key_team"] is None:
            raise no_such_model(model, " Write it as team/name: this key is of no one team.")
        return _target(row, model)

    async def _by_ticket(self, ticket: Ticket) -> Row:
        """The row of a call by ticket; raises unless its person and key are still good."""
        rows = await self.rows(_CALL_BY_TICKET, asdict(ticket))
        if not rows:
            raise wrong_key("Whoever this is asked for is not there any more.")
        if rows[0]["revoked"] or rows[0]["expired"]:
            raise wrong_key("The API key that this is asked with is not valid any more.")
        if not rows[0]["is_active"]:
            raise wrong_key("Whoever this is asked for is deactivated.")
        return rows[0]

    async def targets(self, caller: Caller) -> list[Target]:
        """All that answers and that this caller may invoke."""
        rows = await self.with_key(caller, _LIST, {})
        _require_scope(rows[0])
        return [Target(row["team"], row["name"], row["created"], "") for row in rows if row["name"] is not None]

    async def with_key(self, caller: Caller, statement: str, arguments: Mapping[str, Any]) -> list[Row]:
        """Run a statement that begins with the key; raises unless the key is good."""
        split = look_at(caller.authorization)
        rows = await self.rows(statement, {**arguments, "key_id": split[0], "address": caller.address})
        if not rows or not hmac.compare_digest(bytes(rows[0]["secret_sha256"]), hash_secret(split[1])):
            raise wrong_key()
        key = rows[0]
        if key["revoked"] or key["expired"]:
            state = "was revoked" if key["revoked"] else "has expired"
            raise wrong_key(f"The API key {key['key_id']} {state}. Make a new one under Settings, API keys.")
        if not key["is_active"]:
            raise wrong_key("The owner of this API key is deactivated.")
        if not allows(key["networks"], caller.address):
            self._note(_REFUSED, key["key_row"], caller)
            where = caller.address or "here"
            raise ApiError(
                403,
                f"The API key {key['key_id']} does not work from {where}: it is limited to other networks.",
                code="key_network",
                kind="permission_error",
            )
        if caller.address and not key["known"]:
            self._note(_FIRST_USE, key["key_row"], caller)
        if key["stale"]:
            self._note(_USED, key["key_row"], caller)
        return rows

    def _note(self, statement: str, key_row: int, caller: Caller) -> None:
        """Write a note beside the answer, which does not wait for it."""
        errand = asyncio.create_task(self._write(statement, key_row, caller))
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)

    async def _write(self, statement: str, key_row: int, caller: Caller) -> None:
        try:
            async with self._pool.connection() as connection:
                await connection.execute(statement, {"key": key_row, "address": caller.address})
        except (psycopg.Error, PoolTimeout) as error:
            log.warning("a use of key %s was not noted: %s", key_row, error)

    async def rows(self, statement: str, arguments: Mapping[str, Any]) -> list[Row]:
        """Read; once more when the connection turns out to be dead, as all are after PostgreSQL was restarted."""
        for last in (False, True):
            try:
                async with self._pool.connection() as connection:
                    return await (await connection.execute(statement, arguments)).fetchall()
            except psycopg.OperationalError as error:
                if last or isinstance(error, PoolTimeout):
                    log.error("the database does not answer: %s", error)
                    break
                await self._pool.check()
        raise ApiError(
            503, "The gateway can't reach its database. Try again soon.", code="unavailable", retry_after_s=2
        )


def look_at(authorization: str) -> tuple[str, str]:
    """Id and secret of the key in a header; raises where it can't be one, which costs no query."""
    if not authorization:
        raise wrong_key(
            "You didn't provide an API key. Send it in an Authorization header: 'Bearer YOUR_KEY'. "
            "Make one under Settings, API keys."
        )
    split = split_key(from_header(authorization) or "")
    if split is None or "\0" in split[0]:
        raise wrong_key()
    return split


def _target(row: Row, model: str) -> Target:
    """Whether the caller of this row may call its deployment, and whether it answers."""
    if row["deployment"] is None or not row["sees"]:
        raise no_such_model(model)
    if row["purpose"] == "serving":
        _require_scope(row)
    if not row["invokes"]:
        raise not_permitted(
            Permission.MODEL_INVOKE,
            f"which you don't have on {row['team']}/{row['name']}: ask an administrator of the team",
        )
    if not row["endpoint"]:
        raise _not_running(row)
    return Target(row["team"], row["name"], row["created"], row["endpoint"])


def _require_scope(key: Row) -> None:
    scopes = key["scopes"]
    if scopes and not any(Permission.MODEL_INVOKE in SCOPE_PERMISSIONS[Scope(scope)] for scope in scopes):
        raise not_permitted(Permission.MODEL_INVOKE, f"which the scopes of this key ({', '.join(scopes)}) leave out")


def _not_running(row: Row) -> ApiError:
    """Why a deployment does not answer, and whether waiting helps."""
    label, state = f"{row['team']}/{row['name']}", row["state"]
    if state in ("queued", "starting", "updating", "running"):
        message = f"The deployment {label} is starting. Try again soon."
        return ApiError(503, message, code="model_starting", param="model", retry_after_s=5)
    if state == "failed":
        message = f"The deployment {label} failed to start: {row['message'] or 'see its page'}"
        return ApiError(503, message, code="model_failed", param="model", final=True)
    message = f"The deployment {label} is stopped. Somebody who may deploy starts it on its page."
    return ApiError(503, message, code="model_stopped", param="model", final=True)
