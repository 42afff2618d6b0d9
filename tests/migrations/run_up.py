"""A runner in a process of its own, to be killed: `python run_up.py FOLDER` with the address in PGKEEL_TEST_URL."""

import os
import sys
from pathlib import Path

from pgkeel.core.url import Url
from pgkeel.migrations import Source, up
from pgkeel.postgres import connect


def main() -> None:
    with connect(Url.parse(os.environ["PGKEEL_TEST_URL"]), application="run_up") as connection:
        print("ready", flush=True)
        outcome = up(connection, [Source("app", Path(sys.argv[1]))], report=lambda text: print(text, file=sys.stderr, flush=True))
        print(len(outcome.steps), flush=True)


if __name__ == "__main__":
    main()
