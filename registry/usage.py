"""What the storage holds, for whoever runs the site. Sums over all blobs: asked for now and then, never per page of others."""

from __future__ import annotations

import shutil
from typing import Any, cast

from django.conf import settings
from django.db import connection

from registry import storage
from registry.models import BlobCheck, Upload
from registry.representations import moment

_TOTALS = """
SELECT count(*), coalesce(sum(b.size), 0),
       count(*) FILTER (WHERE NOT held), coalesce(sum(b.size) FILTER (WHERE NOT held), 0),
       count(c.blob_id), min(c.checked_at), max(c.checked_at)
FROM (SELECT sha256, size,
        EXISTS (SELECT 1 FROM registry_file f WHERE f.blob_id = sha256)
        OR EXISTS (SELECT 1 FROM registry_artifact a WHERE a.blob_id = sha256)
        OR EXISTS (SELECT 1 FROM registry_upload u WHERE u.blob_id = sha256) AS held
      FROM registry_blob) b LEFT JOIN registry_blobcheck c ON c.blob_id = b.sha256
"""
# Bytes that two teams hold are stored once and counted for each.
_TEAMS = """
SELECT t.name, count(*), coalesce(sum(b.size), 0) FROM (
    SELECT DISTINCT a.team_id, f.blob_id FROM registry_file f
        JOIN registry_version v ON v.id = f.version_id JOIN registry_asset a ON a.id = v.asset_id
    UNION SELECT team_id, blob_id FROM registry_artifact
    UNION SELECT team_id, blob_id FROM registry_upload WHERE blob_id IS NOT NULL
) held JOIN registry_blob b ON b.sha256 = held.blob_id JOIN accounts_team t ON t.id = held.team_id
GROUP BY t.name ORDER BY 3 DESC, 1 LIMIT 200
"""
_DAMAGE = 100


def summary() -> dict[str, Any]:
    """Totals, the scrubber's progress, damage with the files that it concerns, and use by team. Sizes in bytes."""
    with connection.cursor() as cursor:
        cursor.execute(_TOTALS)
        blobs, size, orphans, orphan_bytes, checked, oldest, newest = cast(tuple[Any, ...], cursor.fetchone())
        cursor.execute(_TEAMS)
        teams = [{"team": name, "files": count, "size": int(total)} for name, count, total in cursor.fetchall()]
    open_uploads = Upload.objects.filter(state=Upload.State.OPEN)
    return {
        "store": "bucket" if settings.STORAGE_URL else "folder",
        "free": None if settings.STORAGE_URL else _free(),
        "files": blobs,
        "size": int(size),
        "orphans": {"files": orphans, "size": int(orphan_bytes)},
        "uploads": open_uploads.count(),
        "scrub": {
            "checked": checked,
            "waiting": blobs - checked,
            "oldest": moment(oldest),
            "last": moment(newest),
            "every_days": settings.SCRUB_EVERY_DAYS,
            "mib_per_s": settings.SCRUB_MIB_PER_S,
        },
        "damaged": damaged(),
        "teams": teams,
    }


def damaged() -> list[dict[str, Any]]:
    """Blobs that are not what they should be, and where they are used."""
    rows = BlobCheck.objects.exclude(state=BlobCheck.State.WHOLE).select_related("blob").order_by("-checked_at")
    found = []
    for row in rows.prefetch_related("blob__files__version__asset__team")[:_DAMAGE]:
        files = row.blob.files.all()
        found.append(
            {
                "sha256": row.blob_id,
                "size": row.blob.size,
                "state": row.state,
                "detail": row.detail,
                "checked_at": moment(row.checked_at),
                "files": [
                    {"path": file.path, "version": str(file.version), "url": file.version.get_absolute_url()}
                    for file in files[:20]
                ],
            }
        )
    return found


def _free() -> int | None:
    root = storage.root()
    return shutil.disk_usage(root).free if root.is_dir() else None
