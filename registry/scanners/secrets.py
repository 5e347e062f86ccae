"""Secrets in texts: keys and tokens by their well-known shapes, told from examples by how random they are. What is found is named
by file, line and kind with its first characters; the secret itself goes nowhere."""

from __future__ import annotations

import base64
import json
import math
import re
from collections import Counter
from collections.abc import Iterator

from registry.scanners.samples import NOTE, UNSAFE, Finding, Sample

MOST_BYTES = 32 << 20
MAX_FOUND = 50
_REVOKE = "Revoke it where it was given out, take it out of the file, and register a version without it."
# (kind, pattern with the secret in group 1, least entropy in bits per character)
_SHAPES: tuple[tuple[str, re.Pattern[str], float], ...] = tuple(
    (kind, re.compile(pattern), entropy)
    for kind, pattern, entropy in (
        ("an AWS access key", r"\b((?:AKIA|ASIA)[A-Z2-7]{16})\b", 2.8),
        ("an AWS secret key", r"(?i)aws.{0,30}secret.{0,30}?[\"'=:\s]([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])", 4.2),
        ("a GitHub token", r"\b((?:gh[pousr]_[A-Za-z0-9]{36,255})|(?:github_pat_[A-Za-z0-9_]{50,255}))\b", 3.2),
        ("a GitLab token", r"\b(glpat-[A-Za-z0-9_-]{20,64})\b", 3.2),
        ("a Hugging Face token", r"\b(hf_[A-Za-z0-9]{30,64})\b", 3.2),
        ("an OpenAI key", r"\b(sk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{32,200})\b", 3.5),
        ("an Anthropic key", r"\b(sk-ant-[A-Za-z0-9_-]{32,200})\b", 3.5),
        ("a Google API key", r"\b(AIza[A-Za-z0-9_-]{35})\b", 3.5),
        ("a Slack token", r"\b(xox[abprs]-[A-Za-z0-9-]{20,200})\b", 3.0),
        ("a Stripe key", r"\b([rs]k_live_[A-Za-z0-9]{20,200})\b", 3.2),
        ("a Weights & Biases key", r"(?i)wandb.{0,30}?[\"'=:\s]([0-9a-f]{40})\b", 3.0),
        ("a key of Countersign", r"\b(cs_[A-Za-z0-9_-]{30,200})\b", 3.5),
        ("a private key", r"(-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----)", 0.0),
        ("a signed token (JWT)", r"\b(eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,})", 4.0),
    )
)
# Nothing is looked for in a line that holds none of these.
_HINT = re.compile(
    r"AKIA|ASIA|(?i:aws)|gh[pousr]_|github_pat_|glpat-|hf_|sk-|AIza|xox|k_live_|(?i:wandb)|cs_|PRIVATE KEY|eyJ"
)


def find(sample: Sample) -> Iterator[Finding]:
    if not sample.is_text or sample.form in ("tensors", "archive"):
        return
    # In rows they may well be what the data is about: said, and left to people.
    level = NOTE if sample.form == "rows" else UNSAFE
    count = 0
    for number, line in sample.lines(MOST_BYTES):
        if not _HINT.search(line):
            continue
        for kind, shape, entropy in _SHAPES:
            for match in shape.finditer(line):
                if not _is_real(kind, match[1], entropy):
                    continue
                text = f"It seems to hold {kind}."
                yield Finding(level, "secret", text, _REVOKE, line=number, excerpt=mask(match[1]))
                count += 1
                if count >= MAX_FOUND:
                    return
    if sample.size > MOST_BYTES:
        yield Finding(NOTE, "unread", f"Secrets were looked for in the first {MOST_BYTES >> 20} MiB only.")


def mask(secret: str) -> str:
    """The first characters, which say what kind of key it is, and none that help to use it."""
    shown = secret[:27] if secret.startswith("-----") else secret[: min(4, len(secret) // 4)]
    return f"{shown}…"


def _is_real(kind: str, text: str, least: float) -> bool:
    """Random enough, and no example of a manual."""
    lowered = text.lower()
    if any(word in lowered for word in ("example", "xxxxxx", "your_", "placeholder", "000000", "123456789")):
        return False
    if kind.startswith("a signed token"):
        return _is_token(text)
    return _entropy(text) >= least


def _is_token(text: str) -> bool:
    head = text.split(".")[0]
    try:
        value = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except ValueError:
        return False
    return isinstance(value, dict) and "alg" in value


def _entropy(text: str) -> float:
    """Shannon's, in bits per character."""
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())
