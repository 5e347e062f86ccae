"""What a test asserts of an answer: reading an assertion out of JSON, and holding an answer against it."""

from prompt_tests.assertions.answers import Answered, Verdict
from prompt_tests.assertions.kinds import (
    KINDS,
    Assertion,
    Judge,
    Similarity,
    judge_here,
    read_assertion,
)

__all__ = ["KINDS", "Answered", "Assertion", "Judge", "Similarity", "Verdict", "judge_here", "read_assertion"]
