"""What an audited update costs in instructions of the server's process, which other work on the machine does not change.

`python -m tools.instructions ["UPDATE {} SET … WHERE id = $1"]` updates a plain and an audited table under valgrind's callgrind,
in a single-user server, and prints instructions a statement; the profiles stay in the folder that it names, for
`callgrind_annotate`.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.audit import QUIET, lay_out
from pgkeel.local import Account, Runtime, choose_account, find_runtime
from pgkeel.postgres import connect
from pgkeel.testing.servers import scratch_cluster

_FEW, _MANY = 50, 250  # statements: the difference leaves out what a server's start costs
_UPDATE = "UPDATE {} SET version = version + 1 WHERE id = $1"


def main(argv: list[str]) -> None:
    """Measure and print."""
    account = choose_account()
    runtime = find_runtime("17", account=account)
    folder = Path(tempfile.mkdtemp(prefix="pgkeel-instructions-"))
    os.chown(folder, account.uid, account.gid)
    with scratch_cluster(runtime=runtime, account=account, settings=QUIET) as cluster:
        cluster.create_database("audit")
        with connect(cluster.superuser_url("audit")) as connection:
            lay_out(connection)
        cluster.stop()
        costs = {}
        for table in ("plain", "audited"):
            statement = (argv[0] if argv else _UPDATE).format(table)
            few, many = (_run(runtime, account, cluster.data, folder / table, statement, count) for count in (_FEW, _MANY))
            costs[table] = (many - few) // (_MANY - _FEW)
            print(f"{table}: {costs[table]} instructions a statement")
    print(f"beyond the plain one: {costs['audited'] - costs['plain']}; profiles in {folder}")


def _run(runtime: Runtime, account: Account, data: Path, place: Path, statement: str, count: int) -> int:
    """Return the instructions of a server that runs a statement so many times, a transaction each."""
    profile = place.with_suffix(f".{count}")
    server = [str(runtime.program("postgres")), "--single", "-D", str(data), "-c", "autovacuum=off", "-c", "fsync=off", "audit"]
    lines = [f"PREPARE p(bigint) AS {statement}", *(f"EXECUTE p({number})" for number in range(1, count + 1))]
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}", "--quiet", *server],
        input="\n".join(lines) + "\n",
        text=True,
        capture_output=True,
        check=True,
        user=account.uid,
        group=account.gid,
        env={**os.environ, **runtime.environment},
        cwd="/",
    )
    total = re.search(r"^(?:totals|summary): (\d+)", profile.read_text(), re.MULTILINE)
    if total is None or "ERROR" in done.stdout + done.stderr:
        raise SystemExit((done.stdout + done.stderr)[-1000:])
    return int(total[1])


if __name__ == "__main__":
    main(sys.argv[1:])
