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
        "*.map", "*.rtl*", "tabler-*", "tabler.css",
        "echarts.js", "echarts.common*", "echarts.esm*", "echarts.simple*", "extension/*", "i18n/*",
        "rest_framework/*", "guardian/*",
        "*.cjs", "*.d.ts", "*.d.cts", "package.json", "rollup.config.js", "*.md", "test", "test/*",
    ]  # fmt: skip
