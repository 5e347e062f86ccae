"""The Python client of Countersign: models and datasets in and out, promotion, verification. See docs/client.md.

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
    "RemoteFile",
    "Unauthenticated",
    "Unreachable",
    "Verification",
    "Version",
]
