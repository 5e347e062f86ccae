"""What parsers found in stored bytes, kept by content: the same weights in a hundred versions are looked into once."""

from django.db import models
from django.utils import timezone

from registry.models.files import Blob


class FormatFacts(models.Model):
    """Facts and tensors of one blob, read as one kind of file. Derived: a row may be deleted at any time and is made again."""

    # Without a constraint in the database: a blob that goes at this moment must not wait for it, nor fail by it.
    blob = models.ForeignKey(Blob, on_delete=models.CASCADE, db_constraint=False, related_name="+")
    kind = models.CharField(max_length=20)  # safetensors, gguf, pytorch, onnx, …: by the path under which it was met
    parser = models.PositiveIntegerField()  # registry.inspection.formats.PARSER; of an older one nothing is used
    facts = models.JSONField(default=dict)
    tensors = models.BinaryField(default=bytes)  # zlib over JSON: [[name, dtype, shape, bytes, place], …]
    read_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["blob", "kind"], name="format_facts_are_unique")]

    def __str__(self) -> str:
        return f"{self.blob_id} as {self.kind}"
