"""The repository tests itself: layout, doors that refuse by default, templates and events that nobody uses."""

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from governance.ledger.actions import Action

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [ROOT / "registry", ROOT / "prompts", ROOT / "governance", ROOT / "platform"]
EXAMPLES = {
    "int": "1",
    "slug": "x",
    "str": "x",
    "path": "x/y",
    "prompt_name": "x/y",
    "revision": "main",
    "uuid": "00000000-0000-0000-0000-000000000000",
}
# Open to anybody, each for a reason.
OPEN_PAGES = {
    "/healthz": "probes have no account",
    "/api/v1/keys/model-signing": "a public key: whoever downloaded a version verifies it, here or elsewhere",
    "/readyz": "likewise",
    "/api/docs": "how to use the API, nothing of a team",
    "/api/v1/openapi.json": "likewise",
    "/version": "MLflow's clients ask before they know a key; it says which of MLflow's APIs is spoken",
    "/api/3.0/mlflow/server-info": "likewise",
    "/api/public/health": "Langfuse's clients and probes ask whether the site is up; it says nothing else",
    "/hf/api/validate-yaml": "the Hub's clients ask without a key whether a card can be read; it looks at what was sent alone",
    "/hf/x/x": "it leads to the asset's page, which asks to sign in, whether or not there is such an asset",
    "/hf/datasets/x/x": "likewise",
    "/hf/x/y": "likewise",
    "/hf/lfs/x/1": "opened by a signature in its query, for one part of one upload",
    "/hf/xet/x/x/y": "it says that there is nothing; the addresses that there are take a signed token",
}


def test_platform_is_a_source_root_and_no_package():
    assert not (ROOT / "platform" / "__init__.py").exists()
    assert platform.python_version()


def test_manage_py_leaves_the_standard_library_alone():
    code = "import sys; sys.argv=['manage.py','version']; exec(open('manage.py').read().replace('__main__','x')); main(); import uuid, platform; platform.system()"
    command = [sys.executable, "-c", f"__file__='{ROOT}/manage.py'\n{code}"]
    assert subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode == 0


def routes(patterns=None, prefix="/"):
    """Every route of the site with its converters filled in."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        text = prefix + re.sub(
            r"<(?:(\w+):)?\w+>", lambda m: EXAMPLES[m.group(1) or "str"], str(pattern.pattern)
        ).lstrip("^").rstrip("$")
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, text)
        elif isinstance(pattern, URLPattern):
            yield text, pattern


OURS = [(path, pattern) for path, pattern in routes() if not path.startswith("/accounts/") and "(?P" not in path]


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_every_door_refuses_a_stranger(method):
    """No key, no session: the API answers 401 (or 405), pages lead to sign-in; nothing answers with content."""
    client = Client()
    let_in = []
    for path, _ in OURS:
        if path in OPEN_PAGES:
            continue
        response = getattr(client, method)(path)
        allowed = (401, 403, 405) if path.startswith(("/api/", "/hf/", "/internal/")) else (302, 405)
        if response.status_code not in allowed or (
            response.status_code == 302 and "/accounts/login/" not in response["Location"]
        ):
            let_in.append((path, response.status_code))
    assert not let_in


def test_every_route_has_a_name():
    assert [path for path, pattern in OURS if not pattern.name] == []


def test_every_template_is_used():
    sources = "\n".join(path.read_text() for folder in SOURCES for path in folder.rglob("*.py"))
    sources += "\n".join(path.read_text() for path in (ROOT / "templates").rglob("*.html"))
    names = [path.relative_to(ROOT / "templates").as_posix() for path in (ROOT / "templates").rglob("*.html")]
    # allauth finds its own by name.
    assert [
        name
        for name in names
        if name not in sources and not name.startswith(("account/", "mfa/", "allauth/", "404", "500"))
    ] == []


def test_every_event_is_written_somewhere():
    sources = "\n".join(path.read_text() for folder in SOURCES for path in folder.rglob("*.py"))
    by_trigger = "governance/ledger/migrations/0003_out_of_band.py"
    sources += (ROOT / by_trigger).read_text().replace("'out_of_band.changed'", "Action.OUT_OF_BAND_CHANGED")
    assert [action.name for action in Action if f"Action.{action.name}" not in sources] == []


def test_no_path_of_a_machine_and_no_registry_in_the_repository():
    listed = (
        subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    )
    wrong = []
    for name in listed:
        path = ROOT / name
        if not name or not path.is_file() or path.suffix in {".png", ".ico", ".woff2"}:
            continue
        text = path.read_text(errors="replace")
        if (
            re.search(r"/work/main|/opt/wheels|registry\.npmjs|pypi\.org/simple|files\.pythonhosted", text)
            and name != "tests/test_house.py"
        ):
            wrong.append(name)
    assert wrong == []


@pytest.mark.django_db
def test_the_openapi_document_is_valid_and_says_what_each_operation_does():
    from openapi_spec_validator import validate

    document = Client().get("/api/v1/openapi.json").json()
    validate(document)
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in ("get", "post", "put", "patch", "delete")
    ]
    assert operations
    assert [(path, method) for path, method, operation in operations if not operation.get("tags")] == []
    assert [
        (path, method)
        for path, method, operation in operations
        if not (operation.get("description") or operation.get("summary"))
    ] == []
