"""The rules of a policy as data: parsed with errors that name the field, checked for sense, and written out as sentences."""

from governance.rules.checks import (
    CHECK_TYPES,
    CardCheck,
    Check,
    LicenceCheck,
    LineageCheck,
    MetricCheck,
    PromptTestsCheck,
    ScanCheck,
)
from governance.rules.parsing import DEFAULT_RULES, MAX_CHECKS, Rules, parse
from governance.rules.reading import InvalidRules
from governance.rules.reviews import ReviewRule, ReviewStep
from governance.rules.sense import check_sense
from governance.rules.terms import Terms

__all__ = [
    "CHECK_TYPES",
    "DEFAULT_RULES",
    "MAX_CHECKS",
    "CardCheck",
    "Check",
    "InvalidRules",
    "LicenceCheck",
    "LineageCheck",
    "MetricCheck",
    "PromptTestsCheck",
    "ReviewRule",
    "ReviewStep",
    "Rules",
    "ScanCheck",
    "Terms",
    "check_sense",
    "parse",
]
