"""How a version is taken into use by the clients that people have: lines to copy, with the site's address and the version in them."""

from dataclasses import dataclass

from django.conf import settings

from registry.models import Asset, Version


@dataclass(frozen=True)
class Way:
    title: str
    code: str


def of(version: Version, aliases: list[str]) -> list[Way]:
    """The ways for this version, by its alias where it has one: the line then stays right when the alias moves."""
    name, site = str(version.asset), settings.SITE_URL
    revision = aliases[0] if aliases else f"v{version.number}"
    hub = f"export HF_ENDPOINT={site}/hf HF_TOKEN=<your key>\n"
    file = version.files.order_by("path").values_list("path", flat=True).first() or "README.md"
    curl = f'curl -OJ -H "Authorization: Bearer $KEY" \\\n  {site}/api/v1{version.get_absolute_url()}/files/{file}'
    if version.asset.kind == Asset.Kind.DATASET:
        return [
            Way(
                "datasets",
                f'{hub}\nfrom datasets import load_dataset\nrows = load_dataset("{name}", revision="{revision}")',
            ),
            Way("Hugging Face Hub", f"{hub}hf download {name} --repo-type dataset --revision {revision}"),
            Way("curl", curl),
        ]
    ways = [
        Way("Hugging Face Hub", f"{hub}hf download {name} --revision {revision}"),
        Way("MLflow", _mlflow(version, revision if aliases else "")),
        Way("curl", curl),
    ]
    if version.facts.get("architecture"):
        loading = f'"{name}", revision="{revision}"'
        code = (
            f"{hub}\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n"
            f"model = AutoModelForCausalLM.from_pretrained({loading})\n"
            f"tokenizer = AutoTokenizer.from_pretrained({loading})"
        )
        ways.insert(0, Way("transformers", code))
    return ways


def _mlflow(version: Version, alias: str) -> str:
    model = version.asset.name + (f"@{alias}" if alias else f"/{version.number}")
    return (
        f"export MLFLOW_TRACKING_URI={settings.SITE_URL} MLFLOW_TRACKING_TOKEN=<a key of {version.asset.team.name}>\n\n"
        f'import mlflow\nfolder = mlflow.artifacts.download_artifacts("models:/{model}")'
    )
