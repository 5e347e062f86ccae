"""Leases: who is at a run of tests."""

from evaluation.leasing import Leases
from prompt_tests.models import SuiteRun

LEASES = Leases(SuiteRun, "team", "prompt__team", "version", "revision", "created_by", "dataset_version__asset__team")
