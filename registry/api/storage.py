"""What the storage holds and whether it is whole, for site administrators."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import CharField, ChoiceField, DateTimeField, FloatField, IntegerField, ListField

from accounts.access import require_site_admin
from accounts.rest import ApiView
from registry import usage
from registry.api.base import PROBLEMS
from registry.models import BlobCheck
from registry.serializers import In


class HeldOut(In):
    files = IntegerField(help_text="Different files: the same bytes count once.")
    size = IntegerField(help_text="Bytes.")


class ScrubOut(In):
    checked = IntegerField(help_text="Files that were hashed again at least once.")
    waiting = IntegerField(help_text="Files that were not yet.")
    oldest = DateTimeField(allow_null=True, help_text="The longest ago that any of them was checked.")
    last = DateTimeField(allow_null=True)
    every_days = FloatField()
    mib_per_s = FloatField()


class DamagedFileOut(In):
    path = CharField()
    version = CharField()
    url = CharField()


class DamagedOut(In):
    sha256 = CharField()
    size = IntegerField()
    state = ChoiceField(BlobCheck.State.choices)
    detail = CharField()
    checked_at = DateTimeField()
    files = ListField(child=DamagedFileOut(), help_text="Where they are used, 20 at most.")


class TeamUseOut(HeldOut):
    team = CharField()


class StorageOut(In):
    store = ChoiceField([("folder", "folder"), ("bucket", "bucket")])
    free = IntegerField(allow_null=True, help_text="Bytes that the disk has left; null for a bucket.")
    files = IntegerField()
    size = IntegerField(help_text="Bytes.")
    orphans = HeldOut(help_text="What nothing refers to; swept after a day.")
    uploads = IntegerField(help_text="Uploads in parts that are open.")
    scrub = ScrubOut()
    damaged = ListField(child=DamagedOut())
    teams = ListField(child=TeamUseOut(), help_text="Largest first. Bytes that two teams hold count for each.")


class Storage(ApiView):
    @extend_schema(
        operation_id="storage_read",
        summary="What is stored, and whether it is whole",
        responses={200: StorageOut, 403: PROBLEMS[403]},
    )
    def get(self, request: Request) -> Response:
        require_site_admin(self.by)
        return Response(usage.summary())
