"""What the REST API is measured against: a Django without middleware, accounts or permissions, and one view of one row."""

import os
from typing import Any
from urllib.parse import unquote, urlsplit

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

_database = urlsplit(os.environ["DATABASE_URL"])
settings.configure(
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="bare",
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[],
    USE_TZ=True,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": _database.path.lstrip("/"),
            "USER": unquote(_database.username or ""),
            "PASSWORD": unquote(_database.password or ""),
            "HOST": _database.hostname or "",
            "PORT": str(_database.port or ""),
            "OPTIONS": {"pool": {"min_size": 1, "max_size": 12, "timeout": 20}},  # as the site has it
        }
    },
)
django.setup()

from django.db import models  # noqa: E402  # models need settings


class Row(models.Model):
    """The plain columns of a version."""

    number = models.IntegerField()
    state = models.CharField(max_length=12)
    digest = models.CharField(max_length=80)
    message = models.TextField()
    size = models.BigIntegerField()
    created_at = models.DateTimeField()
    registered_at = models.DateTimeField()

    class Meta:
        app_label = "bare"
        db_table = "registry_version"
        managed = False


def row(request: HttpRequest, pk: int) -> JsonResponse:
    found: Any = Row.objects.get(pk=pk)
    return JsonResponse({field.attname: getattr(found, field.attname) for field in Row._meta.fields})


urlpatterns = [path("rows/<int:pk>", row)]
application = get_wsgi_application()
