"""Recovery as a person does it: a stack, backups, a mistake, and the way back."""

import base64
import getpass
import json
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest

from pgkeel.backup.recovery.errors import NotRestorable
from pgkeel.backup.recovery.wish import wish_from
from pgkeel.backup.rows import Gone, Storage
from pgkeel.cache.sync import Cache
from pgkeel.core.cipher import ERASED, key_of
from pgkeel.core.clock import now
from pgkeel.core.ids import random_id
from pgkeel.core.project import load
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.local import choose_account
from pgkeel.postgres import connect as open_connection
from pgkeel.security import LOGINS
from pgkeel.security.keys import LocalProvider, load_ring, rewrap
from pgkeel.stack import connect
from pgkeel.stack.deletions import DeletionsSince
from pgkeel.stack.escrow import living_keys
from pgkeel.stack.folders import is_ours
from pgkeel.stack.keys import key_provider, opened_ring
from pgkeel.stack.layout import layout_of
from pgkeel.stack.restoring import require_own_cluster, scene_of
from pgkeel.stack.targets import plan_of
from pgkeel.stack.valkey import cache_url
from pgkeel.testing.servers import scratch_folder
from tests.projects import Home, backups_at_start, new_home, remove_home

USERS = """
INSERT INTO users (email, email_bidx, username, password_hash)
SELECT 'sealed', sha256(g::text::bytea), 'user' || g, '$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAA$' || repeat('A', 43)
FROM generate_series(1, 5) AS g;
INSERT INTO posts (user_id, title, content) SELECT u.id, 'post ' || g, 'words' FROM users AS u, generate_series(1, 20) AS g;
INSERT INTO comments (post_id, user_id, content) SELECT id, user_id, 'words' FROM posts;
INSERT INTO sessions (user_id, token, expires_at) SELECT id, repeat(md5(id::text), 2), now() + interval '1 day' FROM users;
"""


CLINIC = """
from sqlalchemy.orm import DeclarativeBase, Mapped

from pgkeel.schema.encrypted import Encrypted
from pgkeel.schema.mixins import Identified


class Base(DeclarativeBase):
    pass


class Patient(Base, Identified):
    __tablename__ = "patients"

    note: Mapped[str | None] = Encrypted(subject=True)
"""

GONE = {  # the repository does not answer
    "PGKEEL_BACKUP__REPOSITORIES": '{geo = "s3://somewhere/keel?endpoint=http://127.0.0.1:1"}',
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}
CHECKS = ("pg_verifybackup", "amcheck", "visibility", "rows", "schema", "keys", "partitions", "checksums")


class Row(msgspec.Struct, frozen=True):
    """What the application keeps in its cache."""

    id: UUID
    title: str


class Database:
    """A stack with backups and somebody who makes mistakes."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.cached = uuid4()

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run each statement as a transaction of its own and return the rows of the last."""
        with connect(load(self.home.root), "superuser") as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return [tuple(row.values()) for row in cursor] if cursor.description else []

    def counts(self) -> list[tuple[Any, ...]]:
        """How many posts, comments and sessions there are."""
        counted = ", ".join(f"(SELECT count(*) FROM {name}) AS {name}" for name in ("posts", "comments", "sessions"))
        return self.sql(f"SELECT {counted}")

    def read_by_cache(self, title: str) -> str:
        """Read a row as an application does: from the cache, and from the database where the cache has nothing."""
        project = load(self.home.root)
        with Cache(cache_url(project), secret=Secret("of the application")) as cache:
            raw = cache.client.call("GET", b"{pgkeel}:epoch")
            if raw is not None:  # the time after a flush in which nobody fills is over
                cache.client.call("SET", b"{pgkeel}:epoch", raw[:17] + b"0" * 13 + raw[30:])
            found = cache.rows("posts", Row, key=UUID).get(self.cached, lambda key: Row(key, title))
            assert found is not None
            return found.title

    def change_password(self, password: str) -> None:
        file = layout_of(load(self.home.root)).password_file("app")
        self.sql(f"ALTER ROLE {LOGINS['app']} PASSWORD '{password}'")
        parts = file.read_text().strip().split(":")
        file.write_text(":".join([*parts[:4], password]) + "\n")

    def epoch(self) -> int:
        """The life of the audit log."""
        ((epoch,),) = self.sql("SELECT max(epoch) FROM audit.epoch")
        return int(epoch)

    def admit_patient(self) -> UUID:
        """Write a row that is sealed by a person's key."""
        (self.home.root / "clinic.py").write_text(CLINIC)
        (self.home.root / "pgkeel.toml").write_text('[schema]\nmodels = "clinic:Base"\n')
        self.sql(
            "CREATE TABLE IF NOT EXISTS patients (id uuid PRIMARY KEY, note bytea)", "ALTER TABLE patients OWNER TO pgkeel_owner"
        )
        patient = random_id()
        with opened_ring(load(self.home.root), "test") as (owner, ring):
            note = ring.field("patients", "note", by_subject=True).seal(patient, b"is ill")
            owner.execute("INSERT INTO patients VALUES (%s, %s)", [patient, note])
        return patient

    def contents(self) -> list[tuple[Any, ...]]:
        return self.sql("SELECT md5(string_agg(p::text, ' ' ORDER BY p.id)) FROM posts AS p")


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    home = new_home(backups_at_start())
    home.ok("up")
    made = Database(home)
    made.sql(USERS)
    home.ok("backup", "full", "--yes")
    made.sql("UPDATE posts SET content = 'edited' WHERE title = 'post 1'")
    home.ok("backup", "incremental", "--yes")
    yield made
    remove_home(home)


@pytest.fixture(autouse=True)
def rested(database: Database) -> None:
    """A second ago there was a backup, whichever test comes first and whatever the one before took."""
    taken = max(file.stat().st_mtime for file in database.home.root.rglob("backup.json"))
    time.sleep(max(0.0, taken + 1.2 - time.time()))


def test_a_drill_restores_verifies_and_measures(database: Database) -> None:
    killed, beginning = (database.home.state / "server" / name for name in (".drill-killed", ".drill-beginning"))
    killed.mkdir()
    beginning.mkdir()
    os.utime(killed, (0, 0))

    done = database.home.data("backup", "drill", "--yes")

    assert (killed.exists(), beginning.exists()) == (False, True), "who was killed before the folder had its name left it"
    beginning.rmdir()
    assert {check["name"]: check["ok"] for check in done["checks"]} == dict.fromkeys(CHECKS, True), done
    assert done["rto_seconds"] > 0
    assert done["rpo_seconds"] >= 0
    listed = {one["id"]: one["verified_at"] for one in database.home.data("backup", "list")["backups"]}
    assert listed[done["backup"]] is not None
    listed_drills = database.home.data("backup", "drill", "--list")
    assert [one["repository"] for one in listed_drills if one["id"] == done["id"]] == [""]


@pytest.mark.faults
def test_a_full_disk_is_no_drill_and_leaves_nothing(database: Database) -> None:
    def smaller() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))

    done = database.home.run("backup", "drill", "--yes", "--json", limit=smaller)

    checks = json.loads(done.stdout)["data"]["checks"]
    assert done.returncode == 1
    assert [(check["name"], check["ok"], "is full" in check["detail"]) for check in checks] == [("restore", False, True)]
    assert list((database.home.state / "server").glob("drill-*")) == []


@pytest.mark.faults
@pytest.mark.parametrize("arguments", [[], ["--into", "elsewhere"], ["beside"]], ids=["recover", "into", "beside"])
def test_a_disk_that_is_full_before_the_point_is_found_leaves_nothing(database: Database, arguments: list[str]) -> None:
    def smaller() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))

    arguments = [str(database.home.root / word) if word == "elsewhere" else word for word in arguments]
    places = (database.home.root, database.home.state / "server")
    before, status = [sorted(place.iterdir()) for place in places], database.home.data("recover", "status")

    done = database.home.run("recover", *arguments, "--yes", "--json", limit=smaller)

    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (5, "disk_full"), done.stdout
    assert [sorted(place.iterdir()) for place in places] == before
    assert database.home.data("recover", "status") == status


@pytest.mark.faults
def test_a_file_that_the_disk_damages_during_a_drill_is_found_before_a_server_starts(database: Database) -> None:
    server = database.home.state / "server"

    done, harmed = damage_during(database.home, "drill-*", "backup", "drill", "--yes", "--json")

    drill = json.loads(done.stdout)["data"]
    assert done.returncode == 1
    assert [(check["name"], check["ok"]) for check in drill["checks"]] == [("pg_verifybackup", False)], drill
    assert harmed in drill["checks"][0]["detail"]
    assert "on a private socket" not in done.stderr
    assert list(server.glob("drill-*")) == []
    assert database.home.data("backup", "drill", "--list")[-1]["checks"] == drill["checks"]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_both_ways_to_a_point_lead_to_the_same_rows(database: Database) -> None:
    database.home.data("backup", "incremental", "--yes")
    done = database.home.data("backup", "drill", "--yes", "--both-ways")
    assert {check["name"]: check["ok"] for check in done["checks"]} == dict.fromkeys((*CHECKS, "both ways"), True), done


@pytest.mark.timeout(300)
def test_both_ways_wait_for_no_lock_of_a_prepared_transaction(database: Database) -> None:
    home = database.home
    database.sql("ALTER SYSTEM SET max_prepared_transactions = 5")
    home.ok("down")
    home.ok("up", "--yes")
    database.sql("CREATE TABLE held AS SELECT 1 AS n")
    database.home.data("backup", "full", "--yes")
    database.sql("BEGIN; ALTER TABLE held ADD later int; PREPARE TRANSACTION 'undecided'")
    try:
        home.data("backup", "incremental", "--yes")
        done = home.data("backup", "drill", "--yes", "--both-ways")
    finally:
        database.sql("ROLLBACK PREPARED 'undecided'")

    checks = {check["name"]: check for check in done["checks"]}
    assert checks["both ways"]["ok"], done


@pytest.mark.timeout(300)
def test_a_recovery_into_a_folder_goes_on_when_its_prepared_transactions_are_decided(database: Database) -> None:
    home, into = database.home, database.home.root / "decided"
    database.sql("ALTER SYSTEM SET max_prepared_transactions = 5")
    home.ok("down")
    home.ok("up", "--yes")
    database.sql("CREATE TABLE waits (n int)", "BEGIN; INSERT INTO waits VALUES (1); PREPARE TRANSACTION 'theirs'")
    database.sql("CREATE TABLE afterwards (n int)")
    code, _, said = home.error("recover", "--into", str(into), "--yes")
    database.sql("ROLLBACK PREPARED 'theirs'")
    assert (code, f"then `pgkeel recover resume --into {into}`" in said) == (4, True), said
    try:
        assert home.error("recover", "resume", "--into", str(into), "--yes")[0] == 4  # nobody has decided yet
        with open_connection(Url.parse(said.partition("psql '")[2].partition("'")[0])) as copy:
            copy.execute("COMMIT PREPARED 'theirs'")

        done = home.data("recover", "resume", "--into", str(into), "--yes")

        with open_connection(Url.parse(done["url"])) as copy:
            assert copy.execute("SELECT n FROM waits").fetchall() == [{"n": 1}]
    finally:
        os.kill(int((into / "data" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGINT)
    assert [step["state"] for step in done["steps"]] == ["waiting", "done", "done", "done", "waiting"]
    assert home.error("recover", "resume", "--into", str(into), "--yes")[1] == "not_found"


@pytest.mark.timeout(300)
def test_the_other_way_is_not_evaluated_where_the_wal_makes_a_tablespace(database: Database) -> None:
    account = choose_account()
    database.home.data("backup", "full", "--yes")
    with scratch_folder() as place:
        shutil.chown(place, account.uid, account.gid)
        database.sql(f"CREATE TABLESPACE late LOCATION '{place}'")
        database.home.data("backup", "incremental", "--yes")

        done = database.home.data("backup", "drill", "--yes", "--both-ways")

        database.sql("DROP TABLESPACE late")
        database.home.data("backup", "full", "--yes")
    checks = {check["name"]: check for check in done["checks"]}
    assert done["rto_seconds"] is not None, done
    assert checks["both ways"]["ok"] is None
    assert "was made after the backup" in checks["both ways"]["detail"]


def test_deleted_posts_come_back_with_their_comments_while_newer_writes_and_keys_that_live_again_stay(
    database: Database,
) -> None:
    ((author, again),) = database.sql("SELECT user_id, id FROM posts WHERE title = 'post 1' LIMIT 1")
    others = f"SELECT count(*), md5(string_agg(p::text, ' ' ORDER BY p.id)) FROM posts AS p WHERE id <> '{again}'"
    before, comments = database.sql(others), database.counts()[0][1]
    database.sql("DELETE FROM posts WHERE title LIKE 'post 1%'")
    database.sql(f"INSERT INTO posts (user_id, title, content) VALUES ('{author}', 'newer', 'words')")
    database.sql(f"INSERT INTO posts (id, user_id, title, content) VALUES ('{again}', '{author}', 'anew', 'words')")
    arguments = ("--table", "posts", "--before", "DELETE on posts", "--changed", "--where", "title LIKE 'post 1%'", "--yes")

    said = database.home.run("recover", "rows", *arguments, "--json")

    done = json.loads(said.stdout)["data"]
    assert done["restored"] == {"posts": 54, "comments": 54}
    assert (said.returncode, done["deleted"], done["changed"], done["warnings"]) == (1, 54, 0, [])
    assert done["conflicts"] == [{"table": "posts", "key": {"id": str(again)}, "reason": "its key lives again"}]
    assert database.sql(f"SELECT title FROM posts WHERE id = '{again}'") == [("anew",)]
    assert database.sql("DELETE FROM posts WHERE title = 'newer' RETURNING title") == [("newer",)]
    assert (database.sql(others), database.counts()[0][1]) == (before, comments - 1)


def test_where_the_wal_does_not_lead_to_now_it_is_said_that_keys_that_live_again_could_not_be_told(
    database: Database, tmp_path: Path
) -> None:
    scene = scene_of(load(database.home.root))
    plan = plan_of(scene, wish_from("1 second ago", now=now()), tmp_path)
    nowhere = msgspec.structs.replace(scene.archive, segments=(), pieces=(), folders=(), system="")
    elsewhere = msgspec.structs.replace(plan, target=msgspec.structs.replace(plan.target, timeline=9))
    one = Storage(1, "posts", "1663/5/1", "1663/5/1")

    with connect(load(database.home.root), "superuser") as live:
        whole = DeletionsSince(scene, plan, tmp_path, live)([one])
        other = DeletionsSince(scene, elsewhere, tmp_path, live)([one])
        cut = DeletionsSince(msgspec.structs.replace(scene, archive=nowhere), plan, tmp_path, live)([one])

    assert whole == Gone([], [], ())
    assert "the WAL is not known from" in cut.warnings[0]
    assert "timeline 9, and the database is on 1" in other.warnings[0]


def test_looking_at_the_past_changes_nothing_and_planning_another_look_leaves_the_copy(database: Database) -> None:
    database.sql("SELECT pg_create_restore_point('look')", "UPDATE users SET username = username || '_x'")
    made = database.home.data("recover", "beside", "--at", "look", "--yes")
    try:
        database.home.data("recover", "beside", "--at", "1 second ago", "--dry-run")
        assert database.home.error("recover", "beside", "--at", "1 second ago")[:2] == (4, "refused")
        assert database.home.data("recover", "beside", "--end", "--dry-run", env=GONE) == {"ended": True, "dry_run": True}
        with open_connection(Url.parse(made["url"])) as past:
            row = past.execute("SELECT count(*) AS n, pg_is_in_recovery() AS r FROM users WHERE username LIKE '%x'").fetchone()
        assert row == {"n": 0, "r": True}
    finally:
        assert database.home.data("recover", "beside", "--end", "--yes", env=GONE) == {"ended": True, "dry_run": False}


def test_a_point_is_shown_before_anything_runs(database: Database) -> None:
    status = database.home.data("recover", "status")

    planned = database.home.data("recover", "--to", "1 second ago", "--dry-run")

    assert planned["target"]["timeline"] == 1
    assert planned["predicted_seconds"] > 0
    assert planned["loss_seconds"] >= 0
    assert database.home.error("recover", "--to", "FF/0", "--dry-run")[:2] == (2, "target_not_found")
    assert database.home.error("recover", "resume", "--dry-run")[:2] == (2, "not_found")
    assert database.home.data("recover", "status") == status


@pytest.fixture
def elsewhere(database: Database) -> Iterator[Home]:
    """A project on a machine that has the identity, and knows the repository, of another one."""
    other, kept = new_home(), database.home.root / ".pgkeel-backup"
    (other.root / "identity").write_bytes((kept / "identity").read_bytes())
    (other.root / "pgkeel.toml").write_text(
        f'[local]\nvalkey = false\n[backup]\nidentity = "file:identity"\nrepositories = {{kept = "{kept}/repository"}}\n'
    )
    yield other
    remove_home(other)


def test_who_only_looks_or_says_no_leaves_nothing_on_a_new_machine(elsewhere: Home) -> None:
    into = elsewhere.root / "empty"
    into.mkdir()
    before = sorted(elsewhere.root.rglob("*"))

    for arguments in (
        ["recover", "--dry-run"],
        ["recover", "--into", str(into), "--dry-run"],
        ["recover", "--into", str(elsewhere.root / "deep" / "er"), "--dry-run"],
        ["recover", "beside", "--dry-run"],
        ["recover", "beside", "--end", "--dry-run"],
        ["backup", "drill", "--dry-run"],
        ["backup", "drill", "--list"],
    ):
        elsewhere.data(*arguments)
        assert sorted(elsewhere.root.rglob("*")) == before, arguments
    assert elsewhere.error("recover")[:2] == (4, "refused")

    assert sorted(elsewhere.root.rglob("*")) == before
    assert not layout_of(load(elsewhere.root)).server_elsewhere.exists()


def test_a_drill_leaves_nothing_and_the_agent_a_folder_of_its_own_on_a_new_machine(elsewhere: Home) -> None:
    before, project = sorted(elsewhere.root.rglob("*")), load(elsewhere.root)
    layout = layout_of(project)

    elsewhere.data("backup", "drill", "--yes", "--from", project.config.backup.repositories["kept"])
    assert sorted(elsewhere.root.rglob("*")) == before
    assert not layout.server_elsewhere.exists()

    agent = elsewhere.start("agent", "run", "--only", "drill")
    while not (elsewhere.state / "agent").is_dir():
        assert agent.poll() is None, agent.communicate()
        time.sleep(0.01)
    assert is_ours(elsewhere.state)
    agent.terminate()
    agent.communicate()


def test_another_clusters_backups_never_take_the_place_of_the_server_that_is_here(database: Database) -> None:
    scene = scene_of(load(database.home.root))
    require_own_cluster(scene)

    with pytest.raises(NotRestorable, match="not 777") as refused:
        require_own_cluster(msgspec.structs.replace(scene, system="777"))

    assert "--into DIR" in refused.value.hint
    unknown = database.home.run("recover", "--system", "777", "--dry-run", "--json")
    assert scene.system in json.loads(unknown.stdout)["error"]["hint"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--to", "1 second ago"],
        ["--into", "elsewhere"],
        ["rows", "--table", "posts", "--at", "1 second ago"],
        ["beside", "--at", "1 second ago"],
    ],
    ids=["recover", "into", "rows", "beside"],
)
def test_nothing_happens_without_consent_where_nobody_can_be_asked(database: Database, arguments: list[str]) -> None:
    places, status = (database.home.root, database.home.state / "server"), database.home.data("recover", "status")
    before = [sorted(place.iterdir()) for place in places], database.counts(), database.contents()

    code, kind, _ = database.home.error("recover", *arguments)

    assert (code, kind) == (4, "refused")
    assert ([sorted(place.iterdir()) for place in places], database.counts(), database.contents()) == before
    assert database.home.data("recover", "status") == status


def test_setting_rows_back_asks_which_before_anything_is_restored(database: Database) -> None:
    done = database.home.error("recover", "rows", "--table", "posts", "--at", "1 second ago", "--changed", "--yes")
    assert done[:2] == (2, "usage")
    assert "--where" in done[2]


def test_rows_that_cannot_be_told_apart_are_refused_before_anything_is_restored(database: Database) -> None:
    database.sql("CREATE TABLE keyless (n int)")
    server, heard = database.home.state / "server", []
    before = sorted(server.iterdir())

    for table, code, kind in (("keyless", 4, "no_primary_key"), ("nowhere", 2, "not_found")):
        done = database.home.run("recover", "rows", "--table", table, "--at", "1 second ago", "--yes", "--json")
        error = json.loads(done.stdout)["error"]
        assert (error["code"], done.returncode) == (kind, code), done.stdout
        heard.append(done.stderr)

    assert not any("restoring" in said for said in heard), heard
    assert sorted(server.iterdir()) == before


def test_several_transactions_are_listed_for_a_program_to_choose(database: Database) -> None:
    database.sql("CREATE TABLE twice (n int PRIMARY KEY)", "INSERT INTO twice VALUES (1), (2), (3)")
    database.sql("DELETE FROM twice WHERE n = 1", "DELETE FROM twice")

    done = database.home.run("recover", "--before", "DELETE on twice", "--json")

    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (4, "ambiguous_target")
    assert [one["rows"] for one in error["data"]["candidates"]] == [1, 2]
    assert {"xid", "time", "rows", "lsn"} == set(error["data"]["candidates"][0])


def test_partitions_and_heirs_are_meant_by_every_table_above_them(database: Database) -> None:
    database.sql(
        "CREATE TABLE sale (id int, year int) PARTITION BY LIST (year)",
        "CREATE TABLE sale_26 PARTITION OF sale FOR VALUES IN (2026) PARTITION BY LIST (id)",
        "CREATE TABLE sale_26_1 PARTITION OF sale_26 FOR VALUES IN (1)",
        "CREATE TABLE old_way (id int)",
        "CREATE TABLE old_way_heir () INHERITS (old_way)",
        "INSERT INTO sale VALUES (1, 2026)",
        "INSERT INTO old_way_heir VALUES (1)",
        "DELETE FROM sale_26",
        "DELETE FROM old_way",
    )

    for name in ("sale", "sale_26", "sale_26_1", "old_way", "old_way_heir"):
        database.home.ok("recover", "--before", f"DELETE on {name}", "--dry-run")


@pytest.mark.long
def test_a_user_comes_back_sealed_and_the_log_says_who_did_it_and_in_which_recovery(database: Database) -> None:
    lonely = "('clear', sha256('lonely'), 'lonely', '$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAA$' || repeat('A', 43))"
    database.sql(f"INSERT INTO users (email, email_bidx, username, password_hash) VALUES {lonely}")
    database.sql("DELETE FROM users WHERE username = 'lonely'")

    done = database.home.data("recover", "rows", "--table", "users", "--before", "DELETE on users", "--yes")

    assert (done["restored"], done["left_out"]) == ({"users": 1}, ["sessions", "user_tokens"])
    assert key_of(database.sql("SELECT email FROM users WHERE username = 'lonely'")[0][0]) == 1
    found = database.home.data("security", "audit", "search", "--table", "users", "--operation", "insert", "--limit", "1")
    assert found["entries"][0]["actor"].startswith(f"{getpass.getuser()}, pgkeel recover rows-2")
    database.sql("DELETE FROM users WHERE username = 'lonely'")


@pytest.mark.long
def test_the_statements_of_rows_are_written_and_nothing_is_changed(database: Database) -> None:
    before, contents = database.counts(), database.contents()
    database.sql("DELETE FROM posts WHERE title = 'post 7'")
    file = database.home.root / "back.sql"

    arguments = ("--table", "posts", "--before", "DELETE on posts", "--latest", "--sql", str(file))
    done = database.home.data("recover", "rows", *arguments)

    assert (done["restored"], done["sql"]) == ({"posts": 5, "comments": 5}, str(file))
    assert database.sql("SELECT count(*) FROM posts WHERE title = 'post 7'") == [(0,)]
    database.home.ok("psql", "--role", "superuser", "-v", "ON_ERROR_STOP=1", "-f", str(file))
    assert (database.counts(), database.contents()) == (before, contents)


@pytest.mark.long
def test_rows_of_two_tables_are_looked_for_at_the_same_moment(database: Database) -> None:
    arguments = ("recover", "rows", "--at", "1 second ago", "--dry-run", "--json", "--table")

    both = [database.home.start(*arguments, table) for table in ("posts", "comments")]
    said = [one.communicate(timeout=150) for one in both]

    assert [one.returncode for one in both] == [0, 0], said


@pytest.mark.timeout(600)
def test_recovery_to_before_a_bad_deletion_survives_kills_and_is_undone(database: Database) -> None:
    recover_through_kills(database, (5,))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_recovery_survives_a_kill_at_each_of_its_steps(database: Database) -> None:
    recover_through_kills(database, (1, 2, 3, 4, 5))


def recover_through_kills(database: Database, steps: tuple[int, ...]) -> None:
    home = database.home
    token = "md5(random()::text) || md5('x')"
    database.sql(f"INSERT INTO sessions (user_id, token, expires_at) SELECT id, {token}, 'infinity' FROM users")
    before, contents, epoch = database.counts(), database.contents(), database.epoch()
    patient = database.admit_patient()
    database.sql("DELETE FROM comments")
    erase_and_anchor(database, patient)
    database.sql("INSERT INTO posts (user_id, title, content) SELECT id, 'lost future', 'words' FROM users LIMIT 1")
    database.cached = uuid4()  # which nobody has read yet
    assert database.read_by_cache("lost future") == database.read_by_cache("not asked") == "lost future"
    database.change_password("todays-password")
    if len(steps) == 1:
        change_the_outer_key(database)
    at_work = connect(load(home.root), "app")
    keeps = ["--keep-sessions"] if len(steps) > 1 else []

    kill_in(home, steps[0], "recover", "--before", "DELETE on comments", "--latest", *keeps, "--yes")
    for number in steps[1:]:
        kill_in(home, number, "recover", "resume", "--yes")
    require_open_recovery(home)
    with pytest.raises(psycopg.OperationalError):
        at_work.execute("SELECT 1")
    done = home.data("recover", "resume", "--yes")

    assert [step["state"] for step in done["steps"]] == ["done"] * 5
    assert {check["name"]: check["ok"] for check in done["checks"]} == dict.fromkeys(CHECKS, True)
    assert done["loss_seconds"] > 0
    posts, _, sessions = before[0]
    require_what_was(database, before, contents, sessions=sessions if keeps else 0)
    require_erased(database, patient, epoch)
    undo(database, posts + 1, sessions)
    assert home.data("recover", "status")["rto_seconds"] == done["rto_seconds"]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_second_recovery_behind_the_first_begins_a_timeline_of_its_own_and_its_wal_is_archived(database: Database) -> None:
    before, home = database.counts(), database.home
    timelines = []
    for _ in range(2):
        database.sql("DELETE FROM comments")
        home.data("recover", "--before", "DELETE on comments", "--latest", "--yes")
        assert database.counts()[0][:2] == before[0][:2]
        ((timeline,),) = database.sql("SELECT timeline_id FROM pg_control_checkpoint()")
        timelines.append(timeline)
        wait_for_the_receiver(database)
        home.data("recover", "undo", "--yes")
        home.data("recover", "rows", "--table", "comments", "--before", "DELETE on comments", "--latest", "--yes")

    assert timelines[1] == timelines[0] + 1
    home.ok("status")  # exit 0: the receiver and the archiver work


@pytest.mark.timeout(600)
def test_what_came_after_a_point_can_still_be_recovered_to_after_the_recovery(database: Database) -> None:
    home = database.home
    ((timeline,),) = database.sql("SELECT timeline_id FROM pg_control_checkpoint()")
    database.sql("DELETE FROM comments WHERE content = 'none'", "SELECT pg_create_restore_point('too early')")
    database.sql("CREATE TABLE kept_in_the_end (n int)", "INSERT INTO kept_in_the_end VALUES (1)")
    ((later,),) = database.sql("SELECT pg_current_wal_lsn()::text")
    database.sql("DROP TABLE kept_in_the_end")

    home.ok("recover", "--to", "too early", "--yes")
    wait_for_the_receiver(database)
    for _ in range(3):  # the server itself has no use for the old timeline's last segment any more
        database.sql("SELECT pg_logical_emit_message(true, 'test', 'on')", "SELECT pg_switch_wal()", "CHECKPOINT")
        time.sleep(0.5)
    plan = home.data("recover", "--to", later, "--timeline", str(timeline), "--dry-run")
    home.ok("recover", "undo", "--yes")

    assert plan["target"]["timeline"] == timeline
    assert plan["loss_seconds"] > 0


@pytest.mark.timeout(600)
def test_an_interrupted_recovery_goes_on_and_an_assertion_that_fails_stops_it_until_that_is_accepted(database: Database) -> None:
    home, config = database.home, database.home.root / "pgkeel.toml"
    before, written = database.counts(), config.read_text() if config.exists() else ""
    config.write_text(
        f'{written}\n[recover.assertions]\nfew = "SELECT count(*) = 0 FROM posts"\nsome = "SELECT count(*) > 0 FROM posts"\n'
    )

    interrupted = kill_in(home, 2, "recover", "--yes", by=signal.SIGINT)
    stopped = home.run("recover", "resume", "--yes", "--json")
    again = home.error("recover", "resume", "--yes")
    done = home.data("recover", "resume", "--accept-checks", "--yes")
    config.write_text(written)

    assert "the recovery is open: `pgkeel recover resume` finishes it" in interrupted
    error = json.loads(stopped.stdout)["error"]
    found = {check["name"]: check["ok"] for check in error["data"]["checks"]}
    assert (stopped.returncode, error["code"], again[:2]) == (1, "verification_failed", (1, "verification_failed"))
    assert found == dict.fromkeys(CHECKS, True) | {"assertion few": False, "assertion some": True}
    assert {check["name"]: check["ok"] for check in done["checks"]} == found
    assert (done["state"], database.counts()[0][:2]) == ("done", before[0][:2])
    home.data("recover", "undo", "--yes")


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_a_file_that_the_disk_damages_during_a_recovery_is_found_and_the_old_server_is_still_there(database: Database) -> None:
    before, contents = database.counts(), database.contents()

    done, harmed = damage_during(database.home, "recovery-*", "recover", "--to", "1 second ago", "--yes", "--json")

    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (1, "verification_failed"), done.stdout
    assert harmed in error["message"]
    assert "look at the disk" in error["hint"]
    assert "`pgkeel recover undo`" in error["hint"]
    steps = json.loads(database.home.run("recover", "status", "--json").stdout)["data"]["steps"]
    assert [step["state"] for step in steps[:3]] == ["done", "running", "waiting"], steps
    assert database.home.data("recover", "undo", "--yes", env=GONE)["state"] == "undone"
    assert (database.counts(), database.contents()) == (before, contents)
    database.home.ok("down")  # with the agent, which does not know the repository
    database.home.ok("up")


def damage_during(home: Home, place: str, *arguments: str) -> tuple["subprocess.CompletedProcess[str]", str]:
    """Run a command, flip a bit of a file that it has unpacked, and return what it said and the file's name."""
    child = home.start(*arguments)
    try:
        while not (found := [one for one in (home.state / "server").glob(f"{place}/data/base/1/1*") if one.stat().st_size]):
            assert child.poll() is None, child.communicate()
            time.sleep(0.001)
        os.kill(child.pid, signal.SIGSTOP)
        harmed = found[0]
        data = harmed.parents[2]
        content = bytearray(harmed.read_bytes())
        content[len(content) // 2] ^= 1
        harmed.write_bytes(content)
        os.kill(child.pid, signal.SIGCONT)
        said = child.communicate(timeout=300)
    except BaseException:
        child.kill()
        child.communicate()
        raise
    return subprocess.CompletedProcess(arguments, child.returncode, *said), harmed.relative_to(data).as_posix()


def require_what_was(
    database: Database, before: list[tuple[Any, ...]], contents: list[tuple[Any, ...]], *, sessions: int
) -> None:
    posts, comments, _ = before[0]
    assert database.counts() == [(posts, comments, sessions)]
    assert database.contents() == contents
    assert database.sql("SELECT timeline_id > 1 FROM pg_control_checkpoint()") == [(True,)]
    assert database.sql("SELECT datconnlimit FROM pg_database WHERE datname = current_database()") == [(-1,)]
    wait_for_the_receiver(database)
    assert database.home.data("backup", "list")["backups"][-1]["kind"] == "full"
    require_both_timelines(database.home)
    require_todays_world(database)


def require_both_timelines(home: Home) -> None:
    """What happened before the recovery is found on its own timeline only, however much WAL of both lies in the archive."""
    lost = ("recover", "--before", "DELETE on comments", "--latest", "--dry-run")
    assert home.error(*lost)[1] == "target_not_found"
    assert home.data(*lost, "--timeline", "1")["target"]["timeline"] == 1


def require_open_recovery(home: Home) -> None:
    assert home.error("up")[:2] == (4, "recovery_open")
    assert home.error("backup", "full", "--yes")[:2] == (4, "recovery_open")
    assert home.run("recover", "status").returncode == 1
    assert home.error("recover", "resume")[:2] == (4, "refused")
    assert home.run("agent", "run").returncode == 4
    assert home.error("recover", "rows", "--table", "posts", "--at", "1 second ago", "--yes")[:2] == (4, "recovery_open")
    told = home.run("status")
    assert (told.returncode, "Next: pgkeel recover resume" in told.stdout) == (1, True), told.stdout


def erase_and_anchor(database: Database, patient: UUID) -> None:
    """Let the future that will be lost hold an erasure, and a seal that lies outside."""
    fields = database.home.data("security", "keys", "erase", str(patient))["fields"]
    assert fields == [{"field": "patients.note", "rows": 1}]
    database.sql("COMMENT ON TABLE posts IS 'lost future'")
    assert database.home.data("security", "audit", "anchor")["anchor"]["epoch"] == database.epoch()


def require_erased(database: Database, patient: UUID, epoch: int) -> None:
    """The backup held the row and the person's key; the recovered server holds neither, and its log began another life."""
    assert database.epoch() > epoch
    row = database.sql(f"SELECT note FROM patients WHERE id = '{patient}'")
    key = database.sql(f"SELECT wrapped FROM pgkeel.subject_keys WHERE id = '{patient}'")
    assert (row, key) == ([(ERASED,)], [(None,)])


def undo(database: Database, posts: int, sessions: int) -> None:
    recovered = database.counts()
    assert database.home.error("recover", "undo")[:2] == (4, "refused")
    assert database.counts() == recovered
    undone = database.home.data("recover", "undo", "--yes")
    assert undone["state"] == "undone"
    assert database.counts() == [(posts, 0, sessions)]
    require_todays_world(database)
    wait_for_the_receiver(database)  # which was receiving from another timeline
    assert database.home.data("backup", "incremental", "--dry-run")["kind"] == "incremental"
    database.sql("INSERT INTO comments (post_id, user_id, content) SELECT id, user_id, 'words' FROM posts")


def wait_for_the_receiver(database: Database) -> None:
    """Return when the new slot is read from; the agent was started a moment ago."""
    until, slot = time.monotonic() + 90, load(database.home.root).config.backup.slot
    while database.sql(f"SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot}' AND active") != [(1,)]:
        assert time.monotonic() < until
        time.sleep(0.1)


def require_todays_world(database: Database) -> None:
    """Everybody logs in with today's password, today's key wraps the keys, the log is quiet, the cache serves nothing lost."""
    with connect(load(database.home.root), "app") as application:
        assert application.execute("SELECT count(*) > 0 AS has FROM posts").fetchone() == {"has": True}
    project = load(database.home.root)
    with connect(project, "superuser") as connection:
        load_ring(connection, key_provider(project))
        assert {key.provider for key in living_keys(connection)} == {key_provider(project).name}
    verdict = database.home.data("security", "audit", "verify")
    assert (verdict["anchors"] > 0, verdict["problems"]) == (True, [])
    fresh = f"read anew {time.monotonic()}"
    assert database.read_by_cache(fresh) == fresh


def change_the_outer_key(database: Database) -> None:
    """Wrap the keys of encrypted columns by another key from now on; the backups carry the old one."""
    project, fresh = load(database.home.root), base64.b64encode(os.urandom(32)).decode()
    with connect(project, "superuser") as connection:
        assert rewrap(connection, key_provider(project), LocalProvider(Secret(fresh))) == 1
    layout_of(project).field_key.write_text(fresh)


def kill_in(home: Home, number: int, *arguments: str, by: signal.Signals = signal.SIGKILL) -> str:
    """Run a command, kill it as soon as the journal says that it is in a step, and return what it said on stderr."""
    journal = home.state / "recovery" / "journal.json"
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it, and so would the child
    child = home.start(*arguments, env={"PYTHONFAULTHANDLER": "1"})
    signal.signal(signal.SIGINT, heard)
    try:
        while child.poll() is None and not is_in(journal, number):
            time.sleep(0.002)
        assert child.poll() is None, child.communicate()
    finally:
        os.kill(child.pid, by)
    try:
        return child.communicate(timeout=300)[1]
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGABRT)  # says where its threads are
        raise AssertionError(child.communicate()[1]) from None


def is_in(journal: Any, number: int) -> bool:
    try:
        found = json.loads(journal.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return bool((found["state"], found["steps"][number - 1]["state"]) == ("open", "running"))
