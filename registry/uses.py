"""How a version is taken into use by the clients that people have: lines to copy, with the site's address and the version in them."""

from dataclasses import dataclass

from django.conf import settings

from registry.models import Asset, Version

_TELLING = ("config.json", "modules.json")  # the second is how sentence-transformers lists what a model is made of
# What the name of an architecture ends in, and what loads it with its head.
_LOADERS = {
    "ForCausalLM": "AutoModelForCausalLM",
    "LMHeadModel": "AutoModelForCausalLM",
    "ForSequenceClassification": "AutoModelForSequenceClassification",
    "ForTokenClassification": "AutoModelForTokenClassification",
    "ForQuestionAnswering": "AutoModelForQuestionAnswering",
    "ForMaskedLM": "AutoModelForMaskedLM",
}
# ForConditionalGeneration is also how models that see or hear are called.
_TEXT_TO_TEXT = ("T5", "MT5", "UMT5", "LongT5", "Bart", "MBart", "Pegasus", "M2M100", "Marian", "Blenderbot")


@dataclass(frozen=True)
class Way:
    title: str
    code: str


def of(version: Version, aliases: list[str]) -> list[Way]:
    """The ways for this version, by its alias where it has one: the line then stays right when the alias moves."""
    name, site = str(version.asset), settings.SITE_URL
    revision = aliases[0] if aliases else f"v{version.number}"
    hub = f"export HF_ENDPOINT={site}/hf HF_TOKEN=<your key>\n"
    paths = version.files.order_by("path").values_list("path", flat=True)
    found = list(paths[:1].union(paths.filter(path__in=_TELLING)))  # one query for all that the lines depend on
    file = min(found, default="README.md")
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
    loading = f'"{name}", revision="{revision}"'
    if "modules.json" in found:
        code = f"{hub}\nfrom sentence_transformers import SentenceTransformer\nmodel = SentenceTransformer({loading})"
        ways.insert(0, Way("sentence-transformers", code))
    elif "config.json" in found and version.facts.get("architecture"):
        loader = _loader(str(version.facts["architecture"]))
        code = (
            f"{hub}\nfrom transformers import {loader}, AutoTokenizer\n"
            f"model = {loader}.from_pretrained({loading})\n"
            f"tokenizer = AutoTokenizer.from_pretrained({loading})"
        )
        ways.insert(0, Way("transformers", code))
    return ways


def commands(asset: Asset, *, may_push: bool) -> list[str]:
    """What the command line does with a model or dataset: fetch it, and make its next version."""
    address = f"datasets/{asset}" if asset.kind == Asset.Kind.DATASET else str(asset)
    return [f"countersign pull {address}", *([f"countersign push {address} ./folder"] if may_push else [])]


def _loader(architecture: str) -> str:
    """The class of transformers that loads weights with the head that config.json names; the bare model for any other."""
    if architecture.startswith(_TEXT_TO_TEXT) and architecture.endswith(("ForConditionalGeneration", "MTModel")):
        return "AutoModelForSeq2SeqLM"
    return next((loader for suffix, loader in _LOADERS.items() if architecture.endswith(suffix)), "AutoModel")


def _mlflow(version: Version, alias: str) -> str:
    model = version.asset.name + (f"@{alias}" if alias else f"/{version.number}")
    return (
        f"export MLFLOW_TRACKING_URI={settings.SITE_URL} MLFLOW_TRACKING_TOKEN=<a key of {version.asset.team.name}>\n\n"
        f'import mlflow\nfolder = mlflow.artifacts.download_artifacts("models:/{model}")'
    )
