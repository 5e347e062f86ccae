"""Leases: who is at an evaluation."""

from evaluation.leasing import Leases
from evaluation.models import Evaluation

LEASES = Leases(Evaluation, "team", "created_by", "version", "dataset_version", "model__team", "dataset__team")
