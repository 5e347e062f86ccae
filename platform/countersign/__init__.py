"""The Python client of Countersign: models and datasets in and out, promotion, verification (docs/client.md); prompts
fetched, kept and filled in (docs/prompt-delivery.md).

from countersign import Client

with Client("https://countersign.example.com", key="...") as client:
    model = client.model("acme/date-normaliser")
    model.pull("production", "weights/")
"""

from countersign.client import Asset, Client
from countersign.errors import (
    ApiError,
    ApprovalRequired,
    Conflict,
    Damaged,
    Forbidden,
    Invalid,
    NotFound,
    Unauthenticated,
    Unreachable,
)
from countersign.prompts import Prompt, PromptOptions, RenderError
from countersign.shapes import Alias, ApprovalRequest, AssetInfo, RemoteFile, Version
from countersign.verification import Check, Verification

__version__ = "0.1.0"
__all__ = [
    "Alias",
    "ApiError",
    "ApprovalRequest",
    "ApprovalRequired",
    "Asset",
    "AssetInfo",
    "Check",
    "Client",
    "Conflict",
    "Damaged",
    "Forbidden",
    "Invalid",
    "NotFound",
    "Prompt",
    "PromptOptions",
    "RemoteFile",
    "RenderError",
    "Unauthenticated",
    "Unreachable",
    "Verification",
    "Version",
]
