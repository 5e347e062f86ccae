"""Changing the card: of a draft as a file of its own, of a registered version by a new one with the same other files."""

import io

from django.db import transaction
from django.db.models import Sum

from accounts.access import Actor, require
from accounts.errors import Conflict
from accounts.roles import Permission
from registry import cards
from registry.actions.common import lock_version, refuse_gone
from registry.actions.files import add_file
from registry.actions.lineage import link_versions
from registry.actions.versions import create_version, manifest_of
from registry.models import File, Link, Version
from registry.paths import CARD


def write_card(*, version: Version, fields: dict[str, str], body: str, by: Actor) -> None:
    """README.md of a draft, with these fields in its front matter (others that it has stay) and this body."""
    require(by, Permission.ASSET_EDIT, version.asset)
    text = cards.write(cards.of_draft(manifest_of(version)), fields, body)
    content = text.encode()
    add_file(version=version, path=CARD, stream=io.BytesIO(content), expected_size=len(content), by=by)


@transaction.atomic
def begin_from(*, version: Version, message: str = "", by: Actor) -> Version:
    """A new draft with all files of a registered version, none of them copied: change what shall be different, and register it.

    Who put a file into the origin stays its author: nobody reviews their own weights because somebody changed the card.
    """
    require(by, Permission.ASSET_EDIT, version.asset)
    version = lock_version(version)
    refuse_gone(version)
    if not version.is_registered:
        raise Conflict(f"{version} is a draft: change it as it is.", code="version_is_draft")
    draft = create_version(asset=version.asset, message=message, by=by)
    File.objects.bulk_create(
        File(version=draft, path=file.path, blob_id=file.blob_id, added_by_id=file.added_by_id)
        for file in version.files.all()
    )
    draft.size = draft.files.aggregate(size=Sum("blob__size"))["size"] or 0
    draft.parent = version
    draft.save(update_fields=["size", "parent"])
    link_versions(version=draft, relation=Link.Relation.DERIVED_FROM, origin=version, by=by)
    return draft
