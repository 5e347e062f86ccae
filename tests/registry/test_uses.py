"""The lines to copy on a version's page."""

from registry import actions


def test_the_lines_name_the_alias_and_the_site(client_of, cast, actor, make_asset, make_draft, settings):
    asset = make_asset("dates")
    version = actions.register_version(version=make_draft(asset), by=actor(cast.alice))
    page = client_of(cast.victor).get(version.get_absolute_url()).content.decode()
    assert "hf download acme/dates --revision v1" in page
    assert "models:/dates/1" in page
    actions.move_alias(asset=asset, name="candidate", version=version, by=actor(cast.alice))
    page = client_of(cast.victor).get(version.get_absolute_url()).content.decode()
    assert f"HF_ENDPOINT={settings.SITE_URL}/hf" in page
    assert "revision=&quot;candidate&quot;" in page
    actions.update_asset(asset=asset, gated=True, by=actor(cast.alice))
    assert "hf download" not in client_of(cast.victor).get(version.get_absolute_url()).content.decode()


def test_a_draft_has_none(client_of, cast, make_asset, make_draft):
    page = client_of(cast.alice).get(make_draft(make_asset("dates")).get_absolute_url()).content.decode()
    assert "Use this model" not in page
