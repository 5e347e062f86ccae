"""Tags: what people and clients write beside assets and versions, changed at any time. A plain word is a key without a value."""

from django.db import models
from django.db.models.functions import Left

from registry.models.assets import Asset
from registry.models.versions import Version

MAX_KEY, MAX_VALUE = 250, 100_000
# Values are long, an index's rows are not: a search compares this beginning by the index, then the whole value.
INDEXED = 200


class AssetTag(models.Model):
    asset = models.ForeignKey(Asset, on_delete=models.CASCADE, related_name="tags")
    key = models.CharField(max_length=250)
    value = models.TextField(blank=True)

    class Meta:
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["asset", "key"], name="asset_tag_is_unique")]
        indexes = [models.Index("key", Left("value", INDEXED), "asset", name="asset_tag_by_value")]

    def __str__(self) -> str:
        return f"{self.key}={self.value}" if self.value else self.key


class VersionTag(models.Model):
    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="tags")
    key = models.CharField(max_length=250)
    value = models.TextField(blank=True)

    class Meta:
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["version", "key"], name="version_tag_is_unique")]
        indexes = [models.Index("key", Left("value", INDEXED), "version", name="version_tag_by_value")]

    def __str__(self) -> str:
        return f"{self.key}={self.value}" if self.value else self.key
