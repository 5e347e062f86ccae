#!/usr/bin/env python
"""Django's command line. `python -m config.up` (make run) is what starts the whole platform."""

import os
import sys
from pathlib import Path


def main() -> None:
    # Both source roots, so that this file works from a checkout that is not installed too.
    root = Path(__file__).resolve().parent
    for path in (str(root), str(root / "platform")):
        if path not in sys.path:
            sys.path.append(path)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
