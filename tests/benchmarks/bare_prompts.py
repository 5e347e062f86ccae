"""What fetching a prompt is measured against: a Django without middleware, accounts or permissions, and one view of one row."""

import os
from typing import Any

from tests.benchmarks import bare  # configures Django and reads its database from the environment

from django.db import models  # isort: skip  # models need settings
from django.http import HttpRequest, JsonResponse
from django.urls import path


class PromptRow(models.Model):
    """The columns of a version that a client needs."""

    number = models.IntegerField()
    type = models.CharField(max_length=4)
    template = models.JSONField()
    parameters = models.JSONField()
    digest = models.CharField(max_length=80)
    created_at = models.DateTimeField()

    class Meta:
        app_label = "bare"
        db_table = "prompts_promptversion"
        managed = False


def row(request: HttpRequest, pk: int) -> JsonResponse:
    found: Any = PromptRow.objects.get(pk=pk)
    return JsonResponse({field.attname: getattr(found, field.attname) for field in PromptRow._meta.fields})


bare.urlpatterns.append(path("prompts/<int:pk>", row))
application = bare.application
assert os.environ["DATABASE_URL"]
