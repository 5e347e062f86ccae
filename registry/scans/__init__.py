"""Scanning registered versions: which bytes still have to be looked at, by whom, and what came of it."""

from registry.scans.results import SCANNER, FileResult, ScanState, files_of, payload_of, state_of
from registry.scans.work import scan_version

__all__ = ["SCANNER", "FileResult", "ScanState", "files_of", "payload_of", "scan_version", "state_of"]
