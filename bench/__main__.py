"""`make bench`: run the measurements of this folder, all or one, and say whether every figure holds."""

import argparse
import sys
from importlib import import_module
from pathlib import Path

from bench.harness import Scale, publish

FOLDER = Path(__file__).resolve().parent
_PARTS = {"__init__", "__main__", "barman", "harness", "stand"}
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in _PARTS)


def main() -> int:
    """Run what was asked for; 1 when a figure falls short."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--name", choices=NAMES, help="one file of bench/ instead of all")
    parser.add_argument("--full", action="store_true", help="long runs and large tables")
    arguments = parser.parse_args()
    codes = []
    for name in [arguments.name] if arguments.name else NAMES:
        print(f"\n{name}", flush=True)
        codes.append(publish(name, import_module(f"bench.{name}").entries(Scale(full=arguments.full))))
    return max(codes, default=0)


if __name__ == "__main__":
    sys.exit(main())
