"""Counting with a tokenizer that came with a model, in a process of its own: a few lines of tokenizer.json make one letter a
terabyte, or search for ever, and the site would go with it.

`python -I counting.py` reads a line of JSON for each count, {"key", "text", "special"}, first with "tokenizer", and answers
{"tokens"}, {"error"} or, where it does not know the key (any more), {"unknown"}. It ends with its standard input.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

SECONDS = 5
MEMORY_BYTES = 2 << 30
# A tokenizer of 100,000 tokens takes some 50 MB.
KEPT = 4


class CountRefused(Exception):
    """The tokenizer can't be read, or takes too much; the message says which."""


class Apart:
    """This process's own child, begun when it is first needed and again after it was ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def count(self, key: str, read: Callable[[], str], text: str, *, special: bool) -> int:
        """The tokens of a text. `read` gives the tokenizer that the key stands for. Raises CountRefused."""
        job = {"key": key, "text": text, "special": special}
        with self._lock:
            answer = self._ask(job)
            if "unknown" in answer:
                answer = self._ask({**job, "tokenizer": read()})
        if "tokens" not in answer:
            raise CountRefused(str(answer.get("error", "")))
        return int(answer["tokens"])

    def _ask(self, job: dict[str, Any]) -> dict[str, Any]:
        if self._child is None or self._owner != os.getpid() or self._child.poll() is not None:
            self._child, self._owner = _begun(), os.getpid()
        child = self._child
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps(job).encode() + b"\n")
            child.stdin.flush()
            found: dict[str, Any] = json.loads(child.stdout.readline())
        except (OSError, ValueError):
            child.kill()
            child.communicate()
            self._child = None
            raise CountRefused("it takes too much time or memory") from None
        return found


def _begun() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", str(Path(__file__).resolve())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONUTF8": "1", "TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"},
    )


def main() -> None:
    from tokenizers import Tokenizer

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    kept: OrderedDict[str, Any] = OrderedDict()
    for line in sys.stdin.buffer:
        signal.alarm(SECONDS)  # nobody catches it: it ends the process, whatever it is busy with
        answer = _answered(json.loads(line), kept, Tokenizer)
        signal.alarm(0)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _answered(job: dict[str, Any], kept: "OrderedDict[str, Any]", kind: Any) -> dict[str, Any]:
    key = job["key"]
    try:
        if "tokenizer" in job:
            found = kind.from_str(job["tokenizer"])
            found.no_truncation()
            found.no_padding()
            kept[key] = found
            while len(kept) > KEPT:
                kept.popitem(last=False)
        if key not in kept:
            return {"unknown": key}
        kept.move_to_end(key)
        return {"tokens": len(kept[key].encode(job["text"], add_special_tokens=job["special"]).ids)}
    except BaseException as error:  # the library raises bare Exception, and a panic of its own that is none
        return {"error": str(error)[:200] or type(error).__name__}


if __name__ == "__main__":
    main()
