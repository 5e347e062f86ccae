"""Packs of chunks, as clients with Xet send large files: kept for a while, until the files made of them are put together."""

from django.db import models

from registry.models.uploads import Upload


class Xorb(models.Model):
    """Which upload holds the pack of this name. It goes with the upload, when that expires."""

    upload = models.OneToOneField(Upload, on_delete=models.CASCADE, primary_key=True, related_name="xorb")
    hash = models.CharField(max_length=64)

    class Meta:
        indexes = [models.Index(fields=["hash"], name="xorb_by_hash")]

    def __str__(self) -> str:
        return self.hash
