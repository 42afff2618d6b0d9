"""Recovery as a person does it: a stack, backups, a mistake, and the way back."""

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.projects import Home, new_home, remove_home

USERS = """
INSERT INTO users (email, email_bidx, username, password_hash)
SELECT 'sealed', sha256(g::text::bytea), 'user' || g, '$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAA$' || repeat('A', 43)
FROM generate_series(1, 5) AS g;
INSERT INTO posts (user_id, title, content) SELECT u.id, 'post ' || g, 'words' FROM users AS u, generate_series(1, 20) AS g;
INSERT INTO comments (post_id, user_id, content) SELECT id, user_id, 'words' FROM posts;
INSERT INTO sessions (user_id, token, expires_at) SELECT id, repeat(md5(id::text), 2), now() + interval '1 day' FROM users;
"""


CHECKS = ("amcheck", "visibility", "rows", "schema", "checksums")


class Database:
    """A stack with backups and somebody who makes mistakes."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def sql(self, statement: str) -> list[str]:
        return self.home.ok("psql", "--role", "superuser", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", statement).splitlines()

    def counts(self) -> list[str]:
        return self.sql("SELECT (SELECT count(*) FROM posts), (SELECT count(*) FROM comments), (SELECT count(*) FROM sessions)")

    def contents(self) -> list[str]:
        return self.sql("SELECT md5(string_agg(p::text, ' ' ORDER BY p.id)) FROM posts AS p")


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    home = new_home()
    home.ok("up")
    made = Database(home)
    made.sql(USERS)
    home.ok("backup", "full")
    made.sql("UPDATE posts SET content = 'edited' WHERE title = 'post 1'")
    home.ok("backup", "incremental")
    yield made
    remove_home(home)


def test_a_drill_restores_verifies_and_measures(database: Database) -> None:
    done = database.home.data("backup", "drill")

    assert {check["name"]: check["ok"] for check in done["checks"]} == dict.fromkeys(CHECKS, True), done
    assert done["rto_seconds"] > 0
    assert done["rpo_seconds"] >= 0
    listed = {one["id"]: one["verified_at"] for one in database.home.data("backup", "list")["backups"]}
    assert listed[done["backup"]] is not None
    assert [one["id"] for one in database.home.data("backup", "drill", "--list")] == [done["id"]]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_both_ways_to_a_point_lead_to_the_same_rows(database: Database) -> None:
    done = database.home.data("backup", "drill", "--both-ways")
    assert {check["name"]: check["ok"] for check in done["checks"]} == dict.fromkeys((*CHECKS, "both ways"), True), done


def test_deleted_posts_come_back_with_their_comments_while_newer_writes_stay(database: Database) -> None:
    before, contents = database.counts(), database.contents()
    database.sql("DELETE FROM posts WHERE title LIKE 'post 1%'")
    database.sql("INSERT INTO posts (user_id, title, content) SELECT id, 'newer', 'words' FROM users LIMIT 1")

    done = database.home.data("recover", "rows", "--table", "posts", "--before", "DELETE on posts", "--yes")

    assert done["restored"] == {"posts": 55, "comments": 55}
    assert (done["deleted"], done["conflicts"]) == (55, [])
    assert database.sql("DELETE FROM posts WHERE title = 'newer' RETURNING title") == ["newer"]
    assert (database.counts(), database.contents()) == (before, contents)


def test_looking_at_the_past_changes_nothing(database: Database) -> None:
    database.sql("SELECT pg_create_restore_point('look'); UPDATE users SET username = username || '_x'")
    made = database.home.data("recover", "beside", "--at", "look", "--yes")
    try:
        assert database.home.data("recover", "status") is None
        from pgkeel.core.url import Url
        from pgkeel.postgres import connect

        with connect(Url.parse(made["url"])) as past:
            row = past.execute("SELECT count(*) AS n, pg_is_in_recovery() AS r FROM users WHERE username LIKE '%x'").fetchone()
        assert row == {"n": 0, "r": True}
    finally:
        assert database.home.data("recover", "beside", "--end") == {"ended": True}


def test_a_point_is_shown_and_nothing_happens_without_consent(database: Database) -> None:
    planned = database.home.data("recover", "--to", "1 second ago", "--dry-run")
    code, kind, _ = database.home.error("recover", "--to", "1 second ago")
    assert (code, kind) == (4, "refused")
    assert planned["target"]["timeline"] == 1
    assert planned["predicted_seconds"] > 0
    assert database.home.data("recover", "status") is None


@pytest.mark.timeout(600)
def test_recovery_to_before_a_bad_deletion_survives_kills_and_is_undone(database: Database) -> None:
    recover_through_kills(database, (2, 5))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_recovery_survives_a_kill_at_each_of_its_steps(database: Database) -> None:
    recover_through_kills(database, (1, 2, 3, 4, 5))


def recover_through_kills(database: Database, steps: tuple[int, ...]) -> None:
    home = database.home
    token = "md5(random()::text) || md5('x')"
    database.sql(f"INSERT INTO sessions (user_id, token, expires_at) SELECT id, {token}, 'infinity' FROM users")
    before, contents = database.counts(), database.contents()
    database.sql("DELETE FROM comments")
    database.sql("INSERT INTO posts (user_id, title, content) SELECT id, 'lost future', 'words' FROM users LIMIT 1")

    kill_in(home, steps[0], "recover", "--before", "DELETE on comments", "--latest", "--yes")
    for number in steps[1:]:
        kill_in(home, number, "recover", "resume", "--yes")
    assert home.error("up")[:2] == (4, "recovery_open")
    assert home.error("backup", "full")[:2] == (4, "recovery_open")
    assert home.run("recover", "status").returncode == 1
    done = home.data("recover", "resume", "--yes")

    assert [step["state"] for step in done["steps"]] == ["done"] * 5
    assert {check["name"]: check["ok"] for check in done["checks"]} == dict.fromkeys(CHECKS, True)
    assert done["loss_seconds"] > 0
    posts, comments, sessions = before[0].split("|")
    assert database.counts() == [f"{posts}|{comments}|0"]
    assert database.contents() == contents
    assert database.sql("SELECT timeline_id > 1 FROM pg_control_checkpoint()") == ["t"]
    assert home.ok("psql", "--role", "app", "-Atc", "SELECT count(*) FROM posts") == posts

    undone = home.data("recover", "undo", "--yes")
    assert undone["state"] == "undone"
    assert database.counts() == [f"{int(posts) + 1}|0|{sessions}"]
    database.sql("INSERT INTO comments (post_id, user_id, content) SELECT id, user_id, 'words' FROM posts")


def kill_in(home: Home, number: int, *arguments: str) -> None:
    """Run a command and kill it as soon as the journal says that it is in a step."""
    journal = home.state / "recovery" / "journal.json"
    child = home.start(*arguments)
    try:
        while child.poll() is None and not is_in(journal, number):
            time.sleep(0.002)
        assert child.poll() is None, child.communicate()
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()


def is_in(journal: Any, number: int) -> bool:
    import json

    try:
        steps = json.loads(journal.read_bytes())["steps"]
    except (FileNotFoundError, ValueError):
        return False
    return bool(steps[number - 1]["state"] == "running")
