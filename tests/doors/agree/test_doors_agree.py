"""One model, four doors: what one client does, the others see at once, under the same rules, with one event each."""

from pathlib import Path

import pytest

from countersign import ApprovalRequest, ApprovalRequired, Client, folders
from tests.registry.conftest import model_files

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "model"
    place.mkdir()
    for path, content in model_files().items():
        (place / path).write_bytes(content)
    return place


def test_every_door_sees_the_same_versions_and_moves_aliases_by_the_same_rules(
    cast, api, site, hub, mlflow, folder, tmp_path
):
    from governance.ledger.models import AuditEvent
    from governance.models import ApprovalRequest as Row

    # Made over Hugging Face,
    hub(
        cast.alice,
        f"""
        api.create_repo("acme/shared")
        api.upload_folder(repo_id="acme/shared", folder_path={str(folder)!r}, commit_message="from the hub")
        """,
    )
    with Client(site.url, api(cast.alice).key) as client:
        # read and tagged over the native door,
        model = client.model("acme/shared")
        first = model.version()
        assert folders.digest_of(model.files(first.number)) == first.digest
        assert model.promote(first.number, "candidate").digest == first.digest
        # seen by MLflow, which downloads the very files,
        seen = mlflow.call("look", "shared", "candidate")
        assert seen["aliases"] == {"candidate": str(first.number)} and seen["at_alias"]["version"] == str(first.number)
        down = Path(mlflow.call("fetch", "shared", "candidate", str(tmp_path / "mlflow")))
        assert folders.hashed(folders.walk(down)) == folders.hashed(folders.walk(folder))
        # and by the hub under the alias as a tag.
        printed = hub(
            cast.alice,
            """
            print([tag.name for tag in api.list_repo_refs("acme/shared").tags])
            print(snapshot_download("acme/shared", revision="candidate", local_dir="hub-down"))
            """,
        )
        assert "candidate" in printed
        got = {one.path: one.sha256 for one in folders.hashed(folders.walk(tmp_path / "hub-down"))}
        assert got == {one.path: one.sha256 for one in model.files(first.number)}

        # The protected alias moves by no door: each asks, and all ask the one request.
        code, text = mlflow.call("move", "shared", "production", str(first.number))
        request = Row.objects.get()
        link = f"{site.url}/requests/{request.pk}"
        assert code == "PERMISSION_DENIED" and link in text
        refused = hub(
            cast.alice,
            """
            try:
                api.create_tag("acme/shared", tag="production", revision="candidate")
            except HfHubHTTPError as error:
                print(error.response.status_code, str(error))
            """,
        )
        assert refused.startswith("403") and link in refused
        with pytest.raises(ApprovalRequired) as refusal:
            model.move_alias("production", first.number)
        assert refusal.value.request_id == request.pk
        assert Row.objects.count() == 1 and Row.objects.get().requested_by == cast.alice

        # Once approved it is there for all of them.
        bob = api(cast.bob)
        seal = bob.get(f"/api/v1/requests/{request.pk}").json()["seal"]
        assert (
            bob.post(f"/api/v1/requests/{request.pk}/reviews", {"verdict": "approve", "seal": seal}).status_code == 201
        )
        assert client.request(request.pk).state == "applied" and isinstance(client.request(request.pk), ApprovalRequest)
        assert mlflow.call("look", "shared", "production")["at_alias"]["version"] == str(first.number)
        assert "production" in hub(cast.alice, 'print([tag.name for tag in api.list_repo_refs("acme/shared").tags])')
        assert model.verify("production", folder).passed

    # Nobody of another team gets in by any of them.
    assert "RepositoryNotFoundError" in hub(
        None, "try:\n    api.model_info('acme/shared')\nexcept Exception as error:\n    print(type(error).__name__)"
    )
    # One event for one fact, told by the door through which it came.
    events = list(
        AuditEvent.objects.filter(action__in=["version.registered", "alias.moved", "request.opened"]).order_by("pk")
    )
    assert [event.action for event in events].count("version.registered") == 1
    assert [event.action for event in events].count("alias.moved") == 2
