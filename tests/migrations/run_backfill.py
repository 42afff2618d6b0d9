"""A backfill in a process of its own, to be killed: `python run_backfill.py` with the address in PGKEEL_TEST_URL."""

import os
import sys

from pgkeel.core.url import Url
from pgkeel.migrations import backfill
from pgkeel.postgres import connect


def main() -> None:
    with connect(Url.parse(os.environ["PGKEEL_TEST_URL"]), application="run_backfill") as connection:
        print("ready", flush=True)
        found = backfill.run(connection, report=lambda text: print(text, file=sys.stderr, flush=True))
        print(found[0].status, flush=True)


if __name__ == "__main__":
    main()
