"""From a repository back to a server: real backups, sealed, and what is wrong with them found before it matters."""

import resource
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.request import Request, urlopen

import msgspec
import psycopg.conninfo
import pytest

from pgkeel.backup import Bucket, Folder, Programs, Record, fetch_backup, new_identity, read_catalogue, recipient_of, relations_of
from pgkeel.backup.copying import Copier
from pgkeel.backup.errors import Damaged, RepositoryUnreachable
from pgkeel.backup.lsn import format_lsn, parse_lsn
from pgkeel.backup.planning import Wish as Kind
from pgkeel.backup.recovery.chain import Link, add_own_wal, combine, give_away, prepare, require_room
from pgkeel.backup.recovery.checks import check_online
from pgkeel.backup.recovery.errors import NotRestorable, TargetNotFound
from pgkeel.backup.recovery.gather import Archive
from pgkeel.backup.recovery.resolve import Plan, chain_of, resolve
from pgkeel.backup.recovery.search import TableFiles
from pgkeel.backup.recovery.side import apply_wal, limits_of, promote
from pgkeel.backup.recovery.tablespaces import follow_move, set_apart
from pgkeel.backup.recovery.wal import Wal, require_whole
from pgkeel.backup.recovery.wish import Wish, wish_from
from pgkeel.backup.taking import Order, Taker
from pgkeel.backup.unpacking import Files
from pgkeel.core.clock import now
from pgkeel.core.secret import Secret
from pgkeel.local import Account, Cluster
from pgkeel.postgres import connect
from tests.backup.proxy import FaultProxy
from tests.backup.recovery.conftest import History, MakeSideServer

EXPIRED = b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
PATIENCE = timedelta(seconds=20)


class Vault:
    """A repository of the history's server."""

    def __init__(self, history: History, folder: Path) -> None:
        self.history, self.repository, self.identity = history, Folder("local", folder / "repository"), new_identity()
        keywords = history.cluster.superuser_url().keywords()
        del keywords["password"]
        passfile = folder / "passfile"
        passfile.write_text("*:*:*:*:x\n")
        passfile.chmod(0o600)
        self.address = psycopg.conninfo.make_conninfo("", **keywords, passfile=str(passfile))

    def take(self, kind: Kind) -> Record:
        with self.history.connect() as connection:
            programs = Programs(client=self.history.tools, server=self.history.tools)
            order = Order(self.repository, [recipient_of(self.identity)], programs, self.address, "test")
            return Taker(order, connection, relations=lambda: relations_of(connection)).take(kind)

    @property
    def records(self) -> tuple[Record, ...]:
        return read_catalogue(self.repository).records

    def plan(self, wish: Wish, place: Path) -> Plan:
        archive = Archive([self.repository], self.identity, folders=(self.history.cluster.data / "pg_wal",))
        return resolve(wish, self.records, archive, self.history.tools, place, files=lambda _: no_files, now=now())

    def links(self, *names: str, identity: Secret | None = None) -> list[Link]:
        known = {one.id: one for one in self.records}
        return [Link(name, partial(self._fetch, known[name], identity or self.identity)) for name in names]

    def _fetch(self, record: Record, identity: Secret, place: Path, files: Files, _check: object) -> None:
        fetch_backup(record, [self.repository], identity, place, files=files)


def make_tablespace(history: History, account: Account, name: str) -> Path:
    place = history.folder / f"tablespace {name}"
    place.mkdir()
    give_away(place, account.uid, account.gid)
    history.sql(f"CREATE TABLESPACE {name} LOCATION '{place}'")
    return place


def no_files(_: object) -> TableFiles:
    return TableFiles()


@pytest.fixture(scope="module")
def vault(history: History, account: Account, tmp_path_factory: pytest.TempPathFactory) -> Vault:
    """A full backup, changes of every kind that clears a visibility map, and an incremental one."""
    made = Vault(history, tmp_path_factory.mktemp("vault"))
    make_tablespace(history, account, "other")
    history.sql("CREATE TABLE w TABLESPACE other AS SELECT g AS n FROM generate_series(1, 5000) AS g")
    history.sql(
        "CREATE TABLE v (n int PRIMARY KEY, t text)",
        "INSERT INTO v SELECT g, repeat('x', 100) FROM generate_series(1, 20000) AS g",
    )
    history.sql("VACUUM (FREEZE) v", "CHECKPOINT")
    made.take("full")
    history.sql(
        "DELETE FROM v WHERE n % 10 = 0",
        "UPDATE v SET t = 'y' WHERE n % 7 = 0",
        "INSERT INTO v SELECT g FROM generate_series(30001, 30100) AS g",
        "DELETE FROM w WHERE n > 4000",
    )
    made.take("incremental")
    history.sql("INSERT INTO v VALUES (40000, 'since')")
    return made


@pytest.fixture
def restored(vault: Vault, history: History, make_side: MakeSideServer, account: Account) -> Iterator[Cluster]:
    """The newest point, from the chain."""
    directory = history.folder / "sealed"
    directory.mkdir()
    plan = vault.plan(Wish(), directory / "wal")
    combine(vault.links(*plan.chain), directory / "links", directory / "data", history.tools, lambda _: None)
    prepare(directory / "data", history.tools.major)
    assert set_apart(directory / "data")
    give_away(directory, account.uid, account.gid)
    archive = {"restore_command": f'cp "{directory}/wal/%f" "%p"'}
    server = make_side(directory, {**limits_of(directory / "data", history.tools), **plan.settings, **archive})
    apply_wal(server, plan.settings, lambda _: None, patience=timedelta(minutes=2))
    yield server
    server.destroy()


def test_rows_from_an_incremental_backup_are_right(vault: Vault, history: History, restored: Cluster) -> None:
    assert [one.kind for one in vault.records] == ["full", "incremental"]
    with connect(restored.superuser_url()) as connection:
        connection.execute("SET enable_seqscan = off")
        by_index = connection.execute("SELECT count(*) AS n FROM v").fetchone()
    assert by_index == {"n": history.value("SELECT count(*) FROM v")}
    promote(restored)
    checks = check_online(restored, history.tools, "postgres", assertions={})
    assert {one.name: one.ok for one in checks} == {"amcheck": True, "visibility": True, "rows": True}


def test_a_tablespace_comes_back_beside_the_data_directory_and_not_where_it_lay(
    vault: Vault, history: History, restored: Cluster
) -> None:
    history.sql("DELETE FROM w WHERE n > 3000")  # in the live server's own place
    assert [(one.name, one.location) for one in vault.records[0].tablespaces] == [
        ("other", str(history.folder / "tablespace other"))
    ]
    with connect(restored.superuser_url()) as connection:
        row = connection.execute(
            "SELECT count(*) AS n, pg_tablespace_location(oid) AS place FROM w, pg_tablespace"
            " WHERE spcname = 'other' GROUP BY oid"
        ).fetchone()
    oid = vault.records[0].tablespaces[0].oid
    assert row == {"n": 4000, "place": str(restored.data.parent / "tablespaces" / str(oid))}

    restored.stop()
    moved = restored.data.parent.rename(history.folder / "moved")
    follow_move(moved)
    assert (moved / "data/pg_tblspc" / str(oid)).resolve() == moved / "tablespaces" / str(oid)
    moved.rename(restored.data.parent)


def test_a_visibility_map_that_lies_is_found(restored: Cluster, history: History) -> None:
    promote(restored)
    with connect(restored.superuser_url()) as connection:
        connection.execute("VACUUM (FREEZE) v")
        connection.execute("CHECKPOINT")
        row = connection.execute("SELECT pg_relation_filepath('v') AS path").fetchone()
    assert row is not None
    map_ = (restored.data / f"{row['path']}_vm").read_bytes()
    with connect(restored.superuser_url()) as connection:
        connection.execute("DELETE FROM v WHERE n < 500")
        connection.execute("CHECKPOINT")
    restored.stop()
    (restored.data / f"{row['path']}_vm").write_bytes(map_)
    restored.start()

    found = {one.name: one for one in check_online(restored, history.tools, "postgres", assertions={})}

    assert found["visibility"].ok is False
    assert "v: " in found["visibility"].detail
    assert found["rows"].ok is False


@pytest.mark.parametrize(
    ("number", "harm", "reason"),
    [
        (0, lambda whole: whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:], "its SHA-256 is another"),
        (1, lambda whole: whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:], "its SHA-256 is another"),
        (0, lambda whole: whole[:-9], "bytes instead of"),
        (0, lambda _: None, "missing"),
    ],
    ids=["a bit of the full one", "a bit of the incremental one", "a cut one", "a lost one"],
)
def test_a_damaged_backup_is_found_and_nothing_is_restored_from_it(
    vault: Vault, history: History, tmp_path: Path, number: int, harm: Callable[[bytes], bytes | None], reason: str
) -> None:
    full, newer = vault.records[:2]
    key = (full, newer)[number].parts[0].key
    content = vault.repository.get(key)
    assert content is not None
    vault.repository.delete(key)
    harmed = harm(content)
    if harmed is not None:
        vault.repository.put(key, harmed)
    try:
        with pytest.raises(Damaged, match=reason):
            combine(vault.links(full.id, newer.id), tmp_path / "links", tmp_path / "data", history.tools, lambda _: None)
        assert not (tmp_path / "data").exists()
    finally:
        vault.repository.delete(key)
        vault.repository.put(key, content)


@pytest.fixture
def proxy(vault: Vault, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FaultProxy, Bucket]]:
    """The vault's copy in a bucket behind a line that breaks."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    made = FaultProxy(s3_endpoint)
    urlopen(Request(f"{s3_endpoint}/vault", method="PUT")).close()
    geo = Bucket("geo", bucket="vault", endpoint=made.url, region="us-east-1", patience=PATIENCE)
    Copier(vault.repository, geo, "backups").run()
    yield made, geo
    made.close()


def test_an_s3_server_that_errs_is_asked_again_and_what_it_changed_is_refused(
    vault: Vault, proxy: tuple[FaultProxy, Bucket], tmp_path: Path
) -> None:
    line, geo = proxy
    full = vault.records[0]
    line.faults = [("GET", 503, b"SlowDown"), ("GET", 500, b""), ("GET", 0, b"")]
    fetch_backup(full, [geo], vault.identity, tmp_path / "first")
    assert (tmp_path / "first" / "PG_VERSION").exists()
    assert line.faults == []

    line.flip = True
    with pytest.raises(Damaged, match="its SHA-256 is another"):
        fetch_backup(full, [geo], vault.identity, tmp_path / "second")
    fetch_backup(full, [geo, vault.repository], vault.identity, tmp_path / "third")  # another repository has it whole
    line.flip = False
    line.faults = [("GET", 403, EXPIRED)] * 50
    with pytest.raises(RepositoryUnreachable, match="credentials are refused"):
        fetch_backup(full, [geo], vault.identity, tmp_path / "fourth")


def test_a_full_disk_ends_a_restore_and_the_next_one_begins_anew(vault: Vault, history: History, tmp_path: Path) -> None:
    full = vault.records[0]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            combine(vault.links(full.id), tmp_path / "links", tmp_path / "data", history.tools, lambda _: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "data").exists()

    combine(vault.links(full.id), tmp_path / "links", tmp_path / "data", history.tools, lambda _: None)
    assert (tmp_path / "data" / "PG_VERSION").exists()
    with pytest.raises(NotRestorable, match="MiB free, and the restore needs"):
        require_room(tmp_path, 2**60)


def test_a_backup_whose_wal_is_archived_nowhere_yet_or_in_part_leads_to_where_it_is_consistent(
    vault: Vault, history: History, tmp_path: Path
) -> None:
    nothing, place = Archive([vault.repository], vault.identity), tmp_path / "wal"
    plan = resolve(Wish(), vault.records, nothing, history.tools, place, files=lambda _: no_files, now=now())
    combine(vault.links(*plan.chain), tmp_path / "links", tmp_path / "data", history.tools, lambda _: None)
    segment = next((tmp_path / "data/pg_wal").glob("0" * 7 + "1*"))
    (place / segment.name).write_bytes(segment.read_bytes()[:8192].ljust(plan.segment_bytes, b"\0"))

    add_own_wal(tmp_path / "data", place, is_fresh=True)

    wal, end = Wal(place, plan.target.timeline, parse_lsn(plan.start)), parse_lsn(plan.end)
    assert end > wal.start
    require_whole(wal, end, history.tools, size=plan.segment_bytes)
    assert plan.settings["recovery_target"] == "immediate"


def test_an_incremental_backup_without_its_parent_is_refused(vault: Vault) -> None:
    incremental = vault.records[-1]
    with pytest.raises(NotRestorable, match="which is gone"):
        chain_of(incremental, [incremental])


def test_a_time_before_the_oldest_backup_is_refused(vault: Vault, tmp_path: Path) -> None:
    before = vault.records[0].started_at - timedelta(hours=1)
    with pytest.raises(NotRestorable, match="the oldest backup is consistent at"):
        vault.plan(Wish(time=before), tmp_path / "wal")


def test_an_lsn_before_the_oldest_backup_is_refused(vault: Vault, tmp_path: Path) -> None:
    start = parse_lsn(vault.records[0].start_lsn)
    with pytest.raises(NotRestorable, match="the oldest backup is consistent"):
        vault.plan(wish_from(format_lsn(start - 1), now=now()), tmp_path / "wal")
    assert vault.plan(wish_from(format_lsn(start), now=now()), tmp_path / "wal").chain == (vault.records[0].id,)


def test_a_point_on_a_timeline_without_a_backup_is_refused(vault: Vault, tmp_path: Path) -> None:
    with pytest.raises(NotRestorable, match="no backup on timeline 9"):
        vault.plan(Wish(timeline=9), tmp_path / "wal")
    with pytest.raises(TargetNotFound):
        vault.plan(wish_from("no such point", now=now()), tmp_path / "wal")


def test_the_incremental_backup_saves_wal_and_the_full_one_is_taken_where_it_alone_leads(vault: Vault, tmp_path: Path) -> None:
    latest = vault.plan(Wish(), tmp_path / "one")
    early = vault.plan(Wish(time=vault.records[0].finished_at), tmp_path / "two")
    assert len(latest.chain) == 2
    assert early.chain == (vault.records[0].id,)


def test_a_time_on_another_timeline_is_refused_with_the_timeline_that_leads_there(vault: Vault, tmp_path: Path) -> None:
    full = vault.records[0]
    later = {"started_at": now(), "finished_at": now(), "start_lsn": "0/FF000028", "end_lsn": "0/FF000100"}
    fork = msgspec.structs.replace(full, id="fork", timeline=2, **later)
    archive = Archive([vault.repository], vault.identity, folders=(vault.history.cluster.data / "pg_wal",))

    def plan(timeline: int | None) -> Plan:
        wish, place = Wish(time=vault.records[1].finished_at, timeline=timeline), tmp_path / f"{timeline}"
        known = [*vault.records[:2], fork]
        return resolve(wish, known, archive, vault.history.tools, place, files=lambda _: no_files, now=now())

    with pytest.raises(NotRestorable) as refused:
        plan(None)
    assert str(refused.value.hint).endswith("only timeline 2 was looked at: --timeline takes 1 too")
    assert plan(1).target.timeline == 1
