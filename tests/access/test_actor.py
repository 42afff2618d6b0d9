"""Who writes is told in the statement of the write, and stays with no connection."""

from typing import Any

import pytest

from pgkeel.core.errors import UsageError
from pgkeel.core.ids import random_id
from pgkeel.core.url import Url
from pgkeel.postgres import connect
from pgkeel.schema.models import Role
from tests.access.conftest import done

NOTE = """
CREATE TABLE noted (number bigint GENERATED ALWAYS AS IDENTITY, actor text, operation text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO noted (actor, operation) VALUES (nullif(current_setting('pgkeel.actor', true), ''), lower(tg_op)); RETURN NULL;
END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON roles FOR EACH STATEMENT EXECUTE FUNCTION note()
"""


@pytest.fixture
def noted(url: Url) -> Any:
    """Who wrote roles, as a trigger sees it: the actors since the last look."""
    with connect(url) as connection:
        connection.execute(NOTE)

        def look() -> list[str | None]:
            rows = connection.execute("SELECT actor FROM noted ORDER BY number").fetchall()
            connection.execute("TRUNCATE noted")
            return [row["actor"] for row in rows]

        yield look


def names(count: int) -> list[dict[str, Any]]:
    return [{"id": random_id(), "name": f"r{random_id().hex[:12]}"} for _ in range(count)]


async def test_every_write_of_a_repository_is_signed_in_its_own_statement(db: Any, noted: Any) -> None:
    roles = db.repository(Role)
    first, second, third, *many = names(6)
    with db.as_actor("user:42"), db.expect(queries=8):
        key = await roles.insert(**first)
        row = await roles.insert_row(**second)
        await roles.update(key, version=1, name="changed")
        await roles.insert_many_returning([third])
        await roles.upsert_many([{**third, "name": "again"}], on="id")
        await roles.update_many([{"id": row.id, "version": row.version, "name": "many"}])
        await roles.delete(key)
        await roles.delete_many([row.id, third["id"]])
        await roles.insert_many(many)

    assert noted() == ["user:42"] * 10  # an upsert is an insert and an update to its triggers
    assert await roles.insert(**names(1)[0])
    assert noted() == [None]


async def test_a_unit_of_work_is_signed_when_it_begins(db: Any, noted: Any) -> None:
    for options in ({}, {"isolation": "serializable"}):
        with db.as_actor("job:nightly"):
            async with db.transaction(**options) as tx:
                await done(tx.repository(Role).insert(**names(1)[0]))
                tx.add(Role(**names(1)[0]))
                await done(tx.flush())
                await done(tx.rollback())
                tx.add(Role(**names(1)[0]))
        assert noted() == ["job:nightly"]

    async with db.transaction() as tx:
        tx.add(Role(**names(1)[0]))
    assert noted() == [None]


async def test_a_copy_that_fails_leaves_neither_rows_nor_the_actor(db: Any, noted: Any) -> None:
    roles = db.repository(Role)
    twice = names(1)[0]
    with db.as_actor("user:42"), pytest.raises(Exception, match="exists"):
        await roles.insert_many([twice, {**twice, "id": random_id()}])
    await roles.insert_many(names(1))

    assert noted() == [None]


@pytest.mark.parametrize("actor", ["", "a\0b", "x" * 201, "\ud800", 42])
async def test_what_is_no_actor_is_refused(db: Any, actor: Any) -> None:
    with pytest.raises(UsageError, match="actor"), db.as_actor(actor):
        pass
