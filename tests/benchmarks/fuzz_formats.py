"""Coverage-guided fuzzing of one parser: `python tests/benchmarks/fuzz_formats.py gguf --seconds 600`.

Needs atheris, which is no dependency of the project (its wheels are for Linux and some Pythons only):
`pip install atheris`. What a parser may raise is Malformed and NotRead; anything else ends the run with the input that did it.
"""

import argparse
import io
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "platform")]
KINDS = ("safetensors", "gguf", "pytorch", "onnx", "parquet")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("kind", choices=KINDS)
    arguments.add_argument("--seconds", type=int, default=60)
    given = arguments.parse_args()
    import atheris

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    with atheris.instrument_imports(include=["registry.inspection"]):
        from registry.inspection import gguf, onnx, parquet, pytorch, safetensors
        from registry.inspection.source import Malformed, NotRead, Source
    from tests.registry.test_fuzz_formats import seeds

    parsers = {"safetensors": safetensors, "gguf": gguf, "pytorch": pytorch, "onnx": onnx}

    def once(content: bytes) -> None:
        try:
            if given.kind == "parquet":
                parquet.look("fuzzed", io.BytesIO(content), len(content))
            else:
                parsers[given.kind].parse(Source("fuzzed", io.BytesIO(content), len(content)))
        except (Malformed, NotRead):
            pass

    corpus = ROOT / "var" / "fuzz" / given.kind
    corpus.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(seeds(given.kind)):
        (corpus / f"seed-{number}").write_bytes(content)
    options = [str(corpus), f"-max_total_time={given.seconds}", "-max_len=20000", "-rss_limit_mb=2048", "-timeout=20"]
    atheris.Setup([sys.argv[0], *options], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
