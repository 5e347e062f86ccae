"""The team, its people with their roles and keys, and the policy for production."""

from __future__ import annotations

import secrets
from typing import Any

from .client import ApiError, Client
from .workspace import TEAM, Workspace, read_json, say, write_json

# name: what the person is in the team; Mallory belongs to none.
PEOPLE = {
    "alice": "contributor",
    "bob": "reviewer",
    "dana": "deployer",
    "carol": "auditor",
    "mallory": "",
}
KEY_NAME = "demo"
POLICY: dict[str, Any] = {
    "team": TEAM,
    "kind": "model",
    "pattern": "*",
    "stage": "production",
    "checks": [
        {"type": "metric", "metric": "exact_match", "bound": "lower", "minimum": 0.9, "dataset": f"{TEAM}/dates"},
        {"type": "card"},
    ],
    "reviews": {"count": 1, "role": "reviewer"},
}


def make_people(workspace: Workspace, admin: Client) -> dict[str, dict[str, str]]:
    """Team, people, roles and a key for each, made once however often this runs; returns what demo.json holds of them."""
    people = _with_passwords(workspace)
    if TEAM not in {team["name"] for team in admin.every("/api/v1/teams")}:
        admin.post("/api/v1/teams", {"name": TEAM, "title": "Acme"})
    known = {person["email"] for person in admin.every("/api/v1/people")}
    for name, person in people.items():
        if person["email"] not in known:
            admin.post(
                "/api/v1/people",
                {"email": person["email"], "name": name.capitalize(), "password": person["password"]},
            )
    _grant_roles(admin, people)
    for name, person in people.items():
        if "api_key" not in person:
            # Asked for by the person itself: not even an administrator ever sees somebody else's key.
            person |= _own_key(workspace.site, person, team=TEAM if _role(name) else None)
            write_json(_people_file(workspace), people)
    return people


def write_demo_file(workspace: Workspace, people: dict[str, dict[str, str]]) -> None:
    """demo.json: the addresses and the people, for whoever tries the platform out."""
    path = workspace.data / "demo.json"
    write_json(path, {"site": workspace.site, "gateway": workspace.gateway, "team": TEAM, "people": people})


def make_policy(admin: Client) -> None:
    """Production takes a model that is measured, described and reviewed."""
    same = ("team", "kind", "pattern", "stage")
    if not any(all(policy[name] == POLICY[name] for name in same) for policy in admin.every("/api/v1/policies")):
        admin.post("/api/v1/policies", POLICY)


def _role(name: str) -> str:
    return "admin" if name == "admin" else PEOPLE[name]


def _people_file(workspace: Workspace) -> Any:
    return workspace.own / "people.json"


def _with_passwords(workspace: Workspace) -> dict[str, dict[str, str]]:
    """Each person's email and password, on disk before the platform hears of them: killed in between, the next run
    still knows them."""
    people = read_json(_people_file(workspace))
    for name in PEOPLE:
        people.setdefault(name, {"email": f"{name}@example.com", "password": secrets.token_urlsafe(12)})
    people.setdefault("admin", {})
    people["admin"] |= {"email": workspace.admin_email, "password": workspace.admin_password}
    write_json(_people_file(workspace), people)
    return people


def _grant_roles(admin: Client, people: dict[str, dict[str, str]]) -> None:
    for name, person in people.items():
        role = _role(name)
        if role:
            try:
                admin.post(f"/api/v1/teams/{TEAM}/members", {"person": person["email"], "role": role})
            except ApiError as error:
                if error.status != 409:  # 409: has it already
                    raise


def _own_key(site: str, person: dict[str, str], *, team: str | None) -> dict[str, str]:
    """A key made in the person's own session. One left by a run that was killed before it noted the key is revoked."""
    with Client(site) as session:
        session.sign_in(person["email"], person["password"])
        for key in session.every("/api/v1/keys"):
            if key["name"] == KEY_NAME and not key.get("revoked_at"):
                session.delete(f"/api/v1/keys/{key['id']}")
        made = session.post("/api/v1/keys", {"name": KEY_NAME, "team": team})
    say(f"{person['email']} has a key")
    return {"api_key": made["key"], "api_key_id": str(made["id"])}
