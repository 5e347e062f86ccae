"""What a version was made from. Runs, evaluations, requests and deployments name versions themselves (home.lineage joins them)."""

from django.db import models
from django.utils import timezone

from registry.models.assets import Asset
from registry.models.versions import Version


class Link(models.Model):
    """One edge up: `version` came from a version, from an asset of which nobody said which version, or from something outside."""

    class Relation(models.TextChoices):
        TRAINED_ON = "trained_on", "trained on"
        DERIVED_FROM = "derived_from", "derived from"
        ADAPTER_OF = "adapter_of", "adapter of"
        CONVERTED_FROM = "converted_from", "converted from"
        COPY_OF = "copy_of", "copy of"

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="origins")
    relation = models.CharField(max_length=16, choices=Relation.choices)
    origin = models.ForeignKey(Version, null=True, on_delete=models.PROTECT, related_name="descendants")
    origin_asset = models.ForeignKey(Asset, null=True, on_delete=models.PROTECT, related_name="descendants")
    origin_name = models.CharField(max_length=300, blank=True)  # outside: as the card or the client says
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "relation", "origin", "origin_asset", "origin_name"],
                nulls_distinct=False,
                name="lineage_link_is_unique",
            ),
            models.CheckConstraint(
                condition=models.Q(origin__isnull=False, origin_asset=None, origin_name="")
                | models.Q(origin=None, origin_asset__isnull=False, origin_name="")
                | (models.Q(origin=None, origin_asset=None) & ~models.Q(origin_name="")),
                name="lineage_link_has_one_origin",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version_id} {self.get_relation_display()} {self.origin_id or self.origin_asset_id or self.origin_name}"
