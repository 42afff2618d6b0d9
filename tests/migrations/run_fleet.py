"""Apply a folder's migrations to the targets of a file, in a process that a test may kill: FILE FOLDER, a line for each step."""

import sys
from pathlib import Path

from pgkeel.migrations import Options, Outcome, Source, up
from pgkeel.migrations.fleet import Member, across, read_members
from pgkeel.postgres import connect


def main() -> int:
    app = Source("app", Path(sys.argv[2]))

    def act(member: Member) -> Outcome:
        with connect(member.url) as connection:
            return up(connection, member.sources([app]), member.options(Options()), lambda text: print(text, flush=True))

    return int(any(result.error is not None for result in across(read_members(Path(sys.argv[1])), act)))


if __name__ == "__main__":
    sys.exit(main())
