"""What the ledger, the lock and the plan cost: many small migrations against psql alone, and a run with nothing to do."""

import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.harness import Entry, Sample, Scale, at_most, child_cpu, paired, ratio, skipped
from pgkeel import migrations
from pgkeel.core.url import Url
from pgkeel.local import Cluster, choose_account, find_runtime
from pgkeel.postgres import connect
from pgkeel.testing.servers import scratch_cluster

_numbers = itertools.count()
_UP = "CREATE TABLE table_{number} (id bigint PRIMARY KEY, body text);\nCREATE INDEX idx_{number} ON table_{number} (body);"
_FILE = "-- Up Migration\nBEGIN;\n{up}\nCOMMIT;\n\n-- Down Migration\nBEGIN;\nDROP TABLE table_{number};\nCOMMIT;\n"


def entries(scale: Scale) -> Iterator[Entry]:
    """Measure on a server of its own."""
    account = choose_account()
    runtime = find_runtime("17", account=account)
    with scratch_cluster(runtime=runtime, account=account) as cluster, tempfile.TemporaryDirectory() as place:
        project = Path(place)
        script = _write_files(project, scale.pick(25, 200))
        yield _against_psql(cluster, project, script, runtime.program("psql"), scale)
        yield from _with_nothing_to_do(cluster, project, scale)


def _write_files(project: Path, count: int) -> Path:
    """Write the files, and one script that holds all their Up sections; return the script."""
    folder = project / "migrations"
    folder.mkdir()
    ups = [_UP.format(number=number) for number in range(count)]
    for number, up in enumerate(ups):
        version = f"20260101{number // 3600:02d}{number // 60 % 60:02d}{number % 60:02d}"
        (folder / f"{version}_create_table_{number}.sql").write_text(_FILE.format(number=number, up=up))
    (project / "all.sql").write_text("\n".join(f"BEGIN;\n{up}\nCOMMIT;" for up in ups))
    (project / "pgkeel.toml").write_text('[database]\nurl = "env:BENCH_URL"\nmanage = true\n')
    return project / "all.sql"


def _against_psql(cluster: Cluster, project: Path, script: Path, psql: Path, scale: Scale) -> Entry:
    def through_pgkeel(url: Url) -> None:
        with connect(url) as connection:
            migrations.up(connection, [migrations.Source("app", project / "migrations")])

    def through_psql(url: Url) -> None:
        command = [str(psql), "--quiet", "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-f", str(script)]
        subprocess.run(command, check=True, env=_environment(url))

    pairs = paired(_on_empty(cluster, through_pgkeel), _on_empty(cluster, through_psql), scale.runs)
    return ratio(
        "migrations.apply.psql.unix",
        f"{scale.pick(25, 200)} small migrations applied, with ledger and lock, over psql running the same SQL",
        pairs,
        better="lower",
        against=f"psql {cluster.version}, one process, one script",
        target=at_most(3.0),
    )


def _on_empty(cluster: Cluster, work: Callable[[Url], None]) -> Sample:
    """Return a sample that takes the time of `work` on an empty database, whose making does not count."""

    def sample() -> float:
        name = f"bench_{next(_numbers)}"
        cluster.create_database(name)
        start = time.perf_counter()
        work(cluster.superuser_url(name))
        took = time.perf_counter() - start
        cluster.drop_database(name)
        return took

    return sample


def _with_nothing_to_do(cluster: Cluster, project: Path, scale: Scale) -> Iterator[Entry]:
    cluster.create_database("bench_done")
    url = cluster.superuser_url("bench_done")
    program = str(Path(sys.executable).with_name("pgkeel"))
    ours = [program, "-C", str(project), "migrate", "up"]
    floor = [sys.executable, "-c", "import os, psycopg; psycopg.connect(os.environ['BENCH_URL'])"]
    environment = {**os.environ, "BENCH_URL": url.reveal()}
    identity, figure = "migrations.noop.cpu.unix", "CPU of `pgkeel migrate up` with nothing to do, over Python connecting"
    against, target = "python -c 'import psycopg; psycopg.connect(…)'", at_most(4.0)
    first = subprocess.run(ours, check=False, capture_output=True, text=True, env=environment)
    if first.returncode != 0:
        yield skipped(identity, figure, better="lower", against=against, target=target, reason=first.stderr.strip()[:200])
        return
    pairs = paired(child_cpu(ours, env=environment), child_cpu(floor, env=environment), scale.runs)
    yield ratio(identity, figure, pairs, better="lower", against=against, target=target)


def _environment(url: Url) -> dict[str, str]:
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    return {**os.environ, **{names[key]: value for key, value in url.keywords().items() if key in names}}
