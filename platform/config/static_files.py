"""Static files named by their content, so that a browser keeps them for a year and never has an old one."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class Storage(CompressedManifestStaticFilesStorage):
    """After collectstatic, by those names; before it (tests, development) by the files' own."""

    support_js_module_import_aggregation = True  # the editor's modules name each other

    def stored_name(self, name: str) -> str:
        return str(super().stored_name(name)) if self.hashed_files else name
