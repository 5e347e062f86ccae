"""Fetches a model's files to a node before vLLM starts there. Imported only where ray.serve.llm is in use."""

from __future__ import annotations

from typing import Any

from ray.llm._internal.common.callbacks.base import CallbackBase

from serving.engines.arguments import parse_arguments
from serving.engines.files import materialise


class FetchFiles(CallbackBase):
    """Ray's library calls this on each node that holds a part of the model."""

    def __init__(self, *, arguments: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._arguments = parse_arguments(arguments)

    def on_before_download_model_files_distributed(self) -> None:
        materialise(
            self._arguments.manifest,
            files_url=self._arguments.files_url,
            token=self._arguments.token,
            cache_dir=self._arguments.cache_dir,
            digest=self._arguments.digest,
        )
