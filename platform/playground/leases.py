"""Leases: who is at a run of the playground."""

from evaluation.leasing import Leases
from playground.models import PlaygroundRun

LEASES = Leases(PlaygroundRun, "team", "created_by", "key")
