"""How long 200 small migrations take: `pgkeel migrate up` against dbmate, Alembic, yoyo and node-pg-migrate, a process each.

The tools from npm are installed on demand into `bench/.npm`, which git ignores; without npm their figures say that they did not
run.
"""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, urlencode

from bench.harness import Entry, Sample, Scale, Target, at_most, paired, ratio, skipped
from pgkeel.core.url import Url
from pgkeel.local import Cluster, choose_account, find_runtime
from pgkeel.postgres import connect
from pgkeel.testing.servers import scratch_cluster

_NPM = Path(__file__).parent / ".npm"
_PACKAGES = ("dbmate@2.36.0", "node-pg-migrate@9.0.0", "pg@8")
_ENV_PY = """
import os
from alembic import context
from sqlalchemy import create_engine
with create_engine(os.environ["BENCH_SQLALCHEMY_URL"]).connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""
_REVISION = '''from alembic import op
revision = "r{number}"
down_revision = {earlier}
def upgrade():
    op.execute("""{up}""")
def downgrade():
    op.execute("""{down}""")
'''
_numbers = itertools.count()
Migration = tuple[str, str]
Write = Callable[[Path, Sequence[Migration]], Sequence[str]]


def entries(scale: Scale) -> Iterator[Entry]:
    """Measure on a server of its own, ours and each peer in turns, each on an empty database whose making does not count.

    The databases stay until the server goes: ext4 passes over the inodes of files deleted in the last minutes one by one, so that
    every table made after a database was dropped costs all tools the same time, which is the file system's and not theirs.
    """
    account = choose_account()
    runtime = find_runtime("17", account=account)
    count, runs = 200, scale.pick(3, 9)
    durable = {"fsync": "on", "full_page_writes": "on"}  # as a server is that people use: every tool waits for its disk
    with scratch_cluster(runtime=runtime, account=account, settings=durable) as cluster, tempfile.TemporaryDirectory() as place:
        ours = _ours(Path(place) / "pgkeel", _migrations(count))
        for name, write, against, target in _PEERS:
            identity, figure = f"runners.apply.{name}.unix", f"{count} small migrations applied, over {name}"
            try:
                theirs = write(Path(place) / name, _migrations(count))
            except _Absent as err:
                yield skipped(identity, figure, better="lower", against=against, target=target, reason=str(err))
                continue
            pairs = paired(_on_empty(cluster, ours), _on_empty(cluster, theirs), runs)
            yield ratio(identity, figure, pairs, better="lower", against=against, target=target)


class _Absent(Exception):
    """The peer cannot be had here, and why."""


def _migrations(count: int) -> list[Migration]:
    """Return Up and Down: by turns a table with an index, and a column for it."""
    table = "CREATE TABLE t{0} (id bigint PRIMARY KEY, body text); CREATE INDEX i{0} ON t{0} (body);"
    made = []
    for number in range(count):
        half = number // 2
        if number % 2:
            made.append((f"ALTER TABLE t{half} ADD COLUMN late int;", f"ALTER TABLE t{half} DROP COLUMN late;"))
        else:
            made.append((table.format(half), f"DROP TABLE t{half};"))
    return made


def _version(number: int) -> str:
    return f"20260101{number // 3600:02d}{number // 60 % 60:02d}{number % 60:02d}"


def _ours(place: Path, migrations: Sequence[Migration]) -> Sequence[str]:
    folder = place / "migrations"
    folder.mkdir(parents=True)
    for number, (up, down) in enumerate(migrations):
        text = f"-- Up Migration\nBEGIN;\n{up}\nCOMMIT;\n\n-- Down Migration\nBEGIN;\n{down}\nCOMMIT;\n"
        (folder / f"{_version(number)}_m{number}.sql").write_text(text)
    (place / "pgkeel.toml").write_text('[database]\nurl = "env:BENCH_URL"\nmanage = true\n')
    return [str(Path(sys.executable).with_name("pgkeel")), "-C", str(place), "migrate", "up", "--source", "app"]


def _dbmate(place: Path, migrations: Sequence[Migration]) -> Sequence[str]:
    program = _npm("dbmate")
    place.mkdir()
    for number, (up, down) in enumerate(migrations):
        (place / f"{_version(number)}_m{number}.sql").write_text(f"-- migrate:up\n{up}\n\n-- migrate:down\n{down}\n")
    return [program, "--env", "BENCH_PLAIN_URL", "--migrations-dir", str(place), "--no-dump-schema", "migrate"]


def _node_pg_migrate(place: Path, migrations: Sequence[Migration]) -> Sequence[str]:
    program = _npm("node-pg-migrate")
    place.mkdir()
    for number, (up, down) in enumerate(migrations):
        text = f"-- Up Migration\n{up}\n\n-- Down Migration\n{down}\n"
        (place / f"{1700000000000 + number}_m{number}.sql").write_text(text)
    return [program, "up", "--migrations-dir", str(place), "--database-url-var", "BENCH_PLAIN_URL"]


def _alembic(place: Path, migrations: Sequence[Migration]) -> Sequence[str]:
    program = _python_program("alembic")
    (place / "scripts" / "versions").mkdir(parents=True)
    (place / "alembic.ini").write_text(f"[alembic]\nscript_location = {place / 'scripts'}\n")
    (place / "scripts" / "env.py").write_text(_ENV_PY)
    for number, (up, down) in enumerate(migrations):
        earlier = f'"r{number - 1}"' if number else "None"
        text = _REVISION.format(number=number, earlier=earlier, up=up, down=down)
        (place / "scripts" / "versions" / f"r{number}.py").write_text(text)
    return [program, "-c", str(place / "alembic.ini"), "upgrade", "head"]


def _yoyo(place: Path, migrations: Sequence[Migration]) -> Sequence[str]:
    program = _python_program("yoyo")
    place.mkdir()
    for number, (up, down) in enumerate(migrations):
        (place / f"{number:04d}.m.sql").write_text(up)
        (place / f"{number:04d}.m.rollback.sql").write_text(down)
    return [program, "apply", "--batch", "--no-config-file", "--database", "$BENCH_SQLALCHEMY_URL", str(place)]


_PEERS: tuple[tuple[str, Write, str, Target], ...] = (
    ("dbmate", _dbmate, "dbmate 2.36.0", at_most(1.5)),
    ("alembic", _alembic, "Alembic 1, a transaction a migration", at_most(0.5)),
    ("yoyo", _yoyo, "yoyo 9", at_most(0.5)),
    ("node-pg-migrate", _node_pg_migrate, "node-pg-migrate 9.0.0, one transaction; for information", at_most(2.0)),
)


def _python_program(name: str) -> str:
    program = Path(sys.executable).with_name(name)
    if not program.exists():
        raise _Absent(f"{name} is not installed: `make venv-bench`")
    return str(program)


def _npm(name: str) -> str:
    program = _NPM / "node_modules" / ".bin" / name
    if not program.exists():
        if shutil.which("npm") is None:
            raise _Absent("npm is not installed")
        argv = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--prefix", str(_NPM), *_PACKAGES]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode or not program.exists():
            raise _Absent(f"npm could not install {name}: {done.stderr.strip()[-120:]}")
    return str(program)


def _on_empty(cluster: Cluster, argv: Sequence[str]) -> Sample:
    def sample() -> float:
        name = f"bench_{next(_numbers)}"
        cluster.create_database(name)
        environment = _environment(cluster.superuser_url(name))
        given = [environment[part[1:]] if part.startswith("$") else part for part in argv]
        start = time.perf_counter()
        done = subprocess.run(given, capture_output=True, text=True, check=False, env=environment)
        took = time.perf_counter() - start
        if done.returncode:
            raise RuntimeError(f"{given[0]}: {done.stderr[-400:]}{done.stdout[-400:]}")
        _require_all(cluster.superuser_url(name))
        return took

    return sample


def _require_all(url: Url) -> None:
    """Make sure that the tool did the work."""
    with connect(url) as connection:
        found = connection.execute("SELECT count(*) AS n FROM pg_attribute WHERE attname = 'late'").fetchone()
    if found != {"n": 100}:
        raise RuntimeError(f"only {found} of 100 columns were made")


def _environment(url: Url) -> Mapping[str, str]:
    known = url.keywords()
    login = f"{known['user']}:{quote(known.get('password', ''), safe='')}"
    query = urlencode({"host": known["host"], "port": known["port"], "sslmode": "disable"})
    plain = f"postgres://{login}@/{known['dbname']}?{query}"
    # Python's tools find their bytecode as an installed program does: the first run, which does not count, writes it
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {
        **inherited,
        "BENCH_URL": url.reveal(),
        "BENCH_PLAIN_URL": plain,
        "BENCH_SQLALCHEMY_URL": url.reveal().replace("postgresql://", "postgresql+psycopg://"),
    }
