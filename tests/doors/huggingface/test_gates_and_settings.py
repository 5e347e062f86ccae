"""Gated repositories with the client's own errors; renaming, settling and deleting."""

import pytest

from registry.models import Asset

pytestmark = pytest.mark.django_db(transaction=True)
MADE = """
api.create_repo("acme/tiny")
api.upload_file(path_or_fileobj=b"# Hi\\n", path_in_repo="README.md", repo_id="acme/tiny")
"""


def test_a_gated_repository_shows_itself_and_keeps_its_files(hub, cast):
    hub(cast.alice, MADE + 'api.update_repo_settings("acme/tiny", gated="manual")')
    said = hub(
        cast.victor,
        """
        print(api.model_info("acme/tiny").gated, api.list_repo_files("acme/tiny"))
        for call in (lambda: hf_hub_download("acme/tiny", "README.md"), lambda: api.auth_check("acme/tiny"),
                     lambda: snapshot_download("acme/tiny")):
            try:
                call()
            except GatedRepoError as error:
                print("gated", "/models/acme/tiny/access" in str(error))
        """,
    ).splitlines()
    assert said == ["manual ['README.md']"] + ["gated True"] * 3
    assert hub(cast.alice, 'print(open(hf_hub_download("acme/tiny", "README.md")).read())').strip() == "# Hi"


def test_moving_and_deleting(hub, cast):
    said = hub(
        cast.alice,
        MADE
        + """
api.move_repo("acme/tiny", "acme/Small.Model")
print(api.repo_exists("acme/tiny"), api.model_info("acme/small.model").id)
try:
    api.update_repo_settings("acme/Small.Model", private=False)
except BadRequestError as error:
    print("nothing is public" in str(error))
api.delete_repo("acme/Small.Model")
api.delete_repo("acme/Small.Model", missing_ok=True)
print(api.repo_exists("acme/Small.Model"))
""",
    ).splitlines()
    assert said == ["False acme/Small.Model", "True", "False"]
    assert Asset.objects.get(name="Small.Model").deleted_at is not None


def test_a_restricted_download_is_an_event(hub, cast, actor):
    from governance.ledger.models import AuditEvent
    from registry import actions

    hub(cast.alice, MADE)
    actions.update_asset(asset=Asset.objects.get(name="tiny"), restricted=True, by=actor(cast.alice))
    hub(cast.victor, 'hf_hub_download("acme/tiny", "README.md")')
    event = AuditEvent.objects.filter(action="file.downloaded").get()
    assert event.after == {"path": "README.md"}
    assert event.actor_name == "Victor" or event.actor_id == cast.victor.pk


def test_access_is_decided_with_the_hubs_own_calls(hub, cast, actor):
    from registry import actions

    hub(cast.alice, MADE + 'api.update_repo_settings("acme/tiny", gated="manual")')
    asset = Asset.objects.get(name="tiny")
    for user in (cast.victor, cast.bob):
        actions.ask_for_access(asset=asset, reason="To look", by=actor(user))
    said = hub(
        cast.admin,
        """
        def show(call):
            return [(one.username, one.status, one.fields.get("reason", "")) for one in call("acme/tiny")]
        print(show(api.list_pending_access_requests))
        api.accept_access_request("acme/tiny", "victor@example.com")
        (waiting,) = api.list_pending_access_requests("acme/tiny")
        api.reject_access_request("acme/tiny", request_id=waiting.request_id, rejection_reason="Not for this")
        api.grant_access("acme/tiny", "carol@example.com")
        print(sorted(show(api.list_accepted_access_requests)), show(api.list_rejected_access_requests))
        for call in (lambda: api.accept_access_request("acme/tiny", "victor@example.com"),
                     lambda: api.grant_access("acme/tiny", "carol@example.com"),
                     lambda: api.grant_access("acme/tiny", "nobody@example.com")):
            try:
                call()
            except HfHubHTTPError as error:
                print(error.response.status_code)
        api.cancel_access_request("acme/tiny", "carol@example.com")
        print(show(api.list_accepted_access_requests))
        print(api.list_repo_refs("acme/tiny", include_pull_requests=True).pull_requests)
        """,
    ).splitlines()
    assert said == [
        "[('bob@example.com', 'pending', 'To look'), ('victor@example.com', 'pending', 'To look')]",
        "[('carol@example.com', 'accepted', ''), ('victor@example.com', 'accepted', '')] [('bob@example.com', 'rejected', 'To look')]",
        "404",
        "400",
        "404",
        "[('victor@example.com', 'accepted', '')]",
        "[]",
    ]
    refused = hub(
        cast.alice,
        """
        try:
            list(api.list_pending_access_requests("acme/tiny"))
        except HfHubHTTPError as error:
            print(error.response.status_code, "team.manage" in str(error))
        """,
    )
    assert refused.strip() == "403 True"
    assert hub(cast.victor, 'print(open(hf_hub_download("acme/tiny", "README.md")).read())').strip() == "# Hi"


def test_an_address_that_the_door_does_not_speak_is_no_page_of_a_model(api, cast):
    answer = api(cast.alice).get("/hf/api/models-tags-by-type")
    assert answer.status_code == 404 and "no such address" in answer.json()["error"]
