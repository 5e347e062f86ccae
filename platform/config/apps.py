from django.apps import AppConfig
from django.contrib.staticfiles.apps import StaticFilesConfig


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        from config import out_of_band

        out_of_band.register()


class CollectedFiles(StaticFilesConfig):
    """What `collectstatic` leaves out: what no page asks for would only be compressed for nothing."""

    ignore_patterns = [
        *StaticFilesConfig.ignore_patterns,
        "rest_framework/*", "guardian/*",
        "htmx-2*", "htmx-4.js", "htmax-*", "ext", "*.md",
    ]  # fmt: skip
