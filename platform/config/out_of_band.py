"""Which tables are governed: a change of theirs that leaves no event in its own transaction is written down by a trigger, as
`out_of_band.changed`, with the row before and after. The triggers are installed after each `migrate` by django-pgtrigger;
their function is the ledger's (governance/ledger/migrations/0003)."""

from dataclasses import dataclass

import pgtrigger
from django.apps import apps
from django.db import models

# $1 is the row, as JSON. Each says (team's name, label, subjects) of a row; the first subject is the event's target.
_OF_TEAM = "SELECT t.name, {label}, ARRAY[{subjects}] FROM accounts_team t WHERE t.id = ($1->>'team_id')::bigint"
_ID = "$1->>'id'"
_OF_ASSET = (
    "SELECT t.name, t.name || '/' || a.name || {label}, ARRAY[{subjects}a.kind || ':' || a.id] "
    "FROM registry_asset a JOIN accounts_team t ON t.id = a.team_id WHERE a.id = {asset}"
)
_OF_VERSION = "(SELECT v.asset_id FROM registry_version v WHERE v.id = ($1->>'version_id')::bigint)"
_OF_PROMPT = (
    "SELECT t.name, t.name || '/' || p.name || {label}, ARRAY[{subjects}'prompt:' || p.id] "
    "FROM prompts_prompt p JOIN accounts_team t ON t.id = p.team_id WHERE p.id = ($1->>'prompt_id')::bigint"
)
_OF_PROMPT_VERSION = (
    "SELECT t.name, t.name || '/' || p.name || ' version ' || v.number || {label}, ARRAY['prompt_version:' || v.id, 'prompt:' || p.id] "
    "FROM prompts_promptversion v JOIN prompts_prompt p ON p.id = v.prompt_id JOIN accounts_team t ON t.id = p.team_id "
    "WHERE v.id = ($1->>'version_id')::bigint"
)
_OF_POLICY = (
    "SELECT t.name, p.kind || ' ' || p.pattern || ' ' || p.stage, ARRAY['policy:' || p.id] "
    "FROM governance_policy p JOIN accounts_team t ON t.id = p.team_id WHERE p.id = ($1->>'policy_id')::bigint"
)
_OF_REQUEST = (
    "SELECT t.name, r.asset_label, ARRAY['request:' || r.id] FROM governance_approvalrequest r "
    "JOIN accounts_team t ON t.id = r.team_id WHERE r.id = ($1->>'request_id')::bigint"
)
_OF_DEPLOYMENT = (
    "SELECT t.name, t.name || '/' || d.name, ARRAY['deployment:' || d.id] FROM serving_deployment d "
    "JOIN accounts_team t ON t.id = d.team_id WHERE d.id = ($1->>'deployment_id')::bigint AND d.purpose = 'serving'"
)


def _team(label: str, *subjects: str) -> str:
    return _OF_TEAM.format(label=label, subjects=", ".join(subjects))


@dataclass(frozen=True)
class Governed:
    """about: SQL as above. only: the columns that count (none: all of them); besides: those that do not, which the application
    changes without an event; secret: shown as changed, never with their value; where: SQL, rows that count."""

    about: str
    only: tuple[str, ...] = ()
    besides: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()
    where: str = "true"

    def columns(self, model: type[models.Model]) -> list[str]:
        every = [field.column for field in model._meta.concrete_fields if field.column is not None]
        return [name for name in every if (name in self.only if self.only else name not in self.besides)]


GOVERNED = {
    "accounts.User": Governed(
        f"SELECT '', $1->>'email', ARRAY['user:' || ({_ID})]", besides=("last_login",), secret=("password",)
    ),
    "accounts.Team": Governed(f"SELECT $1->>'name', $1->>'name', ARRAY['team:' || ({_ID})]"),
    "accounts.Grant": Governed(
        _team("($1->>'role') || ' of user ' || ($1->>'user_id')", "'user:' || ($1->>'user_id')", "'team:' || t.id")
    ),
    "accounts.CustomRole": Governed(_team("$1->>'title'", f"'role:' || ({_ID})", "'team:' || t.id")),
    "accounts.Group": Governed(_team("$1->>'title'", f"'group:' || ({_ID})", "'team:' || t.id")),
    "accounts.GroupMember": Governed(
        "SELECT t.name, g.title, ARRAY['group:' || g.id, 'user:' || ($1->>'user_id')] FROM accounts_group g "
        "JOIN accounts_team t ON t.id = g.team_id WHERE g.id = ($1->>'group_id')::bigint"
    ),
    "accounts.ApiKey": Governed(
        "SELECT coalesce((SELECT name FROM accounts_team t WHERE t.id = ($1->>'team_id')::bigint), ''), $1->>'name', "
        "ARRAY['key:' || ($1->>'key_id'), 'user:' || ($1->>'user_id')]",
        besides=("last_used_at", "last_used_from"),
        secret=("secret_sha256",),
    ),
    "governance.Policy": Governed(
        _team("($1->>'kind') || ' ' || ($1->>'pattern') || ' ' || ($1->>'stage')", f"'policy:' || ({_ID})")
    ),
    "governance.PolicyVersion": Governed(_OF_POLICY),
    "governance.ApprovalRequest": Governed(
        _team("$1->>'asset_label'", f"'request:' || ({_ID})"),
        only=(
            "team_id",
            "kind",
            "asset_id",
            "version_id",
            "digest",
            "slot",
            "stage",
            "policy_version_id",
            "requested_by_id",
            "state",
            "glass_broken",
            "id",
        ),
    ),
    "governance.Review": Governed(_OF_REQUEST, besides=("replaced_at",)),
    "governance.Evidence": Governed(_team("$1->>'label'", f"'evidence:' || ({_ID})")),
    "governance.Attestation": Governed(_OF_REQUEST),
    "governance.Delegation": Governed(
        _team("'a delegation'", f"'delegation:' || ({_ID})", "'user:' || ($1->>'delegator_id')")
    ),
    "registry.Asset": Governed(
        _team("t.name || '/' || ($1->>'name')", f"($1->>'kind') || ':' || ({_ID})"),
        besides=("updated_at", "updated_by_id", "last_number"),
    ),
    "registry.Version": Governed(
        _OF_ASSET.format(
            label="' version ' || ($1->>'number')",
            subjects=f"'version:' || ({_ID}), ",
            asset="($1->>'asset_id')::bigint",
        ),
        besides=("row_index", "size"),
    ),
    "registry.File": Governed(
        _OF_ASSET.format(
            label="': ' || ($1->>'path')", subjects="'version:' || ($1->>'version_id'), ", asset=_OF_VERSION
        )
    ),
    "registry.AssetTag": Governed(
        _OF_ASSET.format(label="' tag ' || ($1->>'key')", subjects="", asset="($1->>'asset_id')::bigint")
    ),
    **{
        f"registry.{name}": Governed(
            _OF_ASSET.format(label=label, subjects="'version:' || ($1->>'version_id'), ", asset=_OF_VERSION)
        )
        for name, label in (("VersionTag", "' tag ' || ($1->>'key')"), ("Link", "': where it comes from'"))
    },
    "registry.Branch": Governed(
        _OF_ASSET.format(label="' branch ' || ($1->>'name')", subjects="", asset="($1->>'asset_id')::bigint")
    ),
    "registry.VersionSignature": Governed(
        _OF_ASSET.format(label="': its signature'", subjects="'version:' || ($1->>'version_id'), ", asset=_OF_VERSION)
    ),
    "registry.ModelSigningKey": Governed(
        f"SELECT '', $1->>'fingerprint', ARRAY['model_key:' || ({_ID})]", secret=("private_sealed",)
    ),
    "registry.Alias": Governed(
        _OF_ASSET.format(label="'@' || ($1->>'name')", subjects="", asset="($1->>'asset_id')::bigint")
    ),
    "registry.AccessRequest": Governed(
        _OF_ASSET.format(label="''", subjects=f"'access_request:' || ({_ID}), ", asset="($1->>'asset_id')::bigint"),
        besides=("reason", "answer"),
    ),
    "prompts.Prompt": Governed(
        _team("t.name || '/' || ($1->>'name')", f"'prompt:' || ({_ID})"),
        besides=("updated_at", "updated_by_id", "last_number", "folder"),
    ),
    "prompts.PromptVersion": Governed(
        _OF_PROMPT.format(label="' version ' || ($1->>'number')", subjects=f"'prompt_version:' || ({_ID}), ")
    ),
    "prompts.PromptTag": Governed(_OF_PROMPT.format(label="' tag ' || ($1->>'key')", subjects="")),
    "prompts.PromptVersionTag": Governed(_OF_PROMPT_VERSION.format(label="' tag ' || ($1->>'key')")),
    "prompts.PromptBranch": Governed(
        _OF_PROMPT.format(label="' branch ' || ($1->>'name')", subjects=f"'prompt_branch:' || ({_ID}), "),
        besides=("head_id", "updated_at"),
    ),
    "prompts.Label": Governed(_OF_PROMPT.format(label="'@' || ($1->>'name')", subjects="")),
    "prompt_tests.Suite": Governed(_OF_PROMPT.format(label="': its tests'", subjects=f"'test_suite:' || ({_ID}), ")),
    "prompt_tests.SuiteRevision": Governed(
        "SELECT t.name, t.name || '/' || p.name || ': its tests', ARRAY['test_suite:' || s.id, 'prompt:' || p.id] "
        "FROM prompt_tests_suite s JOIN prompts_prompt p ON p.id = s.prompt_id JOIN accounts_team t ON t.id = p.team_id "
        "WHERE s.id = ($1->>'suite_id')::bigint"
    ),
    "notifications.Endpoint": Governed(
        _team("coalesce(nullif($1->>'description', ''), 'a webhook')", f"'webhook:' || ({_ID})"),
        only=("id", "team_id", "url", "events", "enabled"),
        secret=("url", "secret", "previous_secret"),
        # Rows of removed ones are deleted after a month.
        where="$1->>'removed_at' IS NULL",
    ),
    "serving.Deployment": Governed(
        _team("t.name || '/' || ($1->>'name')", f"'deployment:' || ({_ID})"),
        only=(
            "id",
            "team_id",
            "name",
            "purpose",
            "stage",
            "desired",
            "replicas",
            "revision_id",
            "input_price",
            "output_price",
            "price_currency",
        ),
        # A deployment that an evaluation holds for its own time reaches no stage.
        where="$1->>'purpose' = 'serving'",
    ),
    "serving.Revision": Governed(_OF_DEPLOYMENT),
}


class OutOfBand(pgtrigger.Trigger):
    """Runs the ledger's function at commit, when the transaction has written its event or never will. pgtrigger would wrap a
    function of its own, which a session may tell to look away (`pgtrigger.ignore`): this one can't be told."""

    when = pgtrigger.After
    func = "RETURN NULL;"

    def __init__(self, governed: Governed, columns: list[str], *, truncate: bool = False) -> None:
        self.governed, self.columns = governed, columns
        if truncate:
            super().__init__(name="out_of_band_truncate", operation=pgtrigger.Truncate, level=pgtrigger.Statement)
        else:
            operation = pgtrigger.Insert | pgtrigger.Delete | pgtrigger.UpdateOf(*columns)  # type: ignore[no-untyped-call]
            super().__init__(name="out_of_band", operation=operation, timing=pgtrigger.Deferred)

    def render_execute(self, model: models.Model) -> str:
        arguments = (self.governed.about, ",".join(self.columns), ",".join(self.governed.secret), self.governed.where)
        return "ledger_out_of_band({})".format(", ".join("'" + one.replace("'", "''") + "'" for one in arguments))


def register() -> None:
    """Tell pgtrigger about every governed table."""
    for label, governed in GOVERNED.items():
        model = apps.get_model(label)
        columns = governed.columns(model)
        pgtrigger.register(OutOfBand(governed, columns), OutOfBand(governed, columns, truncate=True))(model)
