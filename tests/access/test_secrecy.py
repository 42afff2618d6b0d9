"""Whatever fails, by whichever door and driver: no bound value and no row in messages, pickles, logs or tracebacks."""

import logging
import pickle
import traceback
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert, select, text

from pgkeel.access import AccessError, Conflict, query, statement
from pgkeel.core.errors import KeelError, UsageError
from pgkeel.schema.models import Post, User
from tests.access.conftest import done

SECRET = "hunter2-é'\"\\%(x)s {y}"


HANDWRITTEN = """
    INSERT INTO users (email, email_bidx, password_hash, username)
    VALUES (convert_to(%(email)s, 'UTF8'), sha256(convert_to(%(email)s, 'UTF8')), %(password_hash)s, %(username)s)
"""


async def _repository(db: Any, _tx: Any, fields: dict[str, Any]) -> None:
    await db.repository(User).insert(**fields)


async def _copy(db: Any, _tx: Any, fields: dict[str, Any]) -> None:
    await db.repository(User).insert_many([fields])


async def _handwritten(db: Any, _tx: Any, fields: dict[str, Any]) -> None:
    await db.sql(HANDWRITTEN, **fields)


async def _unit_of_work(_db: Any, tx: Any, fields: dict[str, Any]) -> None:
    tx.add(User(**fields))
    await done(tx.flush())


async def _core(db: Any, tx: Any, fields: dict[str, Any]) -> None:
    await done(tx.execute(insert(User).values(await done(db.sealed(User, fields)))))


async def _in_transaction(_db: Any, tx: Any, fields: dict[str, Any]) -> None:
    await done(tx.repository(User).insert(**fields))


async def _sql_in_transaction(_db: Any, tx: Any, fields: dict[str, Any]) -> None:
    await done(tx.sql(HANDWRITTEN, **fields))


@query
def put(email: str, password_hash: str, username: str) -> int:
    return statement(HANDWRITTEN, writes=("users",))


async def _function(db: Any, _tx: Any, fields: dict[str, Any]) -> None:
    await done(put(db, **fields))


async def _function_in_transaction(_db: Any, tx: Any, fields: dict[str, Any]) -> None:
    await done(put(tx, **fields))


DOORS = (
    _repository,
    _copy,
    _handwritten,
    _unit_of_work,
    _core,
    _in_transaction,
    _sql_in_transaction,
    _function,
    _function_in_transaction,
)
HOSTILE: dict[str, dict[str, Any]] = {
    "unique": {"email": f"{SECRET}@b.c", "password_hash": SECRET, "username": "twice"},
    "null": {"email": f"{SECRET}@b.c", "password_hash": None, "username": "n"},
    "too long": {"email": f"{SECRET}@b.c" * 90, "password_hash": SECRET, "username": "l"},
    "a NUL byte": {"email": f"{SECRET}\x00@b.c", "password_hash": SECRET, "username": "z"},
    "a lone surrogate": {"email": f"{SECRET}\ud800@b.c", "password_hash": SECRET, "username": "s"},
    "a wrong type": {"email": f"{SECRET}@b.c", "password_hash": {"nested": SECRET}, "username": "w"},
}


def _everything_said(error: BaseException) -> str:
    """Return all that a log, a queue or a report could get to see."""
    said = [str(error), repr(error), repr(error.args), "".join(traceback.format_exception(error))]
    if isinstance(error, KeelError):
        again = pickle.loads(pickle.dumps(error))
        said += [str(again), repr(vars(again)), repr(error.as_dict()), error.hint]
    chain = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join([*said, _everything_said(chain)] if chain is not None else said)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: str(door.__name__).strip("_"))
async def test_no_door_repeats_a_value(db: Any, door: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    await db.repository(User).insert(email="first@b.c", password_hash="!", username="twice")
    for name, fields in HOSTILE.items():
        with caplog.at_level(logging.DEBUG, logger="pgkeel"):
            with pytest.raises(Exception) as caught:  # noqa: PT011 - which one it is, is looked at below
                async with db.transaction() as tx:
                    await door(db, tx, fields)
            assert isinstance(caught.value, AccessError | UsageError), (name, type(caught.value))
        for said in (_everything_said(caught.value), caplog.text):
            assert "hunter2" not in said, name
    assert db.pool.holders() == ()


async def test_a_read_that_fails_repeats_no_value(db: Any) -> None:
    reads: tuple[Callable[[], Any], ...] = (
        lambda: db.repository(Post).get(SECRET),
        lambda: db.sql("SELECT %(value)s::int", value=SECRET),
        lambda: db.sql("SELECT CASE WHEN %(value)s::text <> '' THEN 1 / 0 END", value=SECRET),
        lambda: db.repository(User).first(User.created_at == SECRET),
    )
    for read in reads:
        with pytest.raises(KeelError) as caught:
            await read()
        assert "hunter2" not in _everything_said(caught.value)
    with pytest.raises(KeelError) as caught:
        async with db.transaction() as tx:
            await done(tx.execute(select(User).where(text("1 / length(:value) > 1 / 0")), {"value": SECRET}))
    assert "hunter2" not in _everything_said(caught.value)


async def test_both_sides_of_a_conflict_are_for_the_caller_alone(db: Any) -> None:
    author = await db.repository(User).insert(email="a@b.c", password_hash="!")
    key = await db.repository(Post).insert(user_id=author, title=f"theirs {SECRET}", content="c")
    with pytest.raises(Conflict) as caught:
        await db.repository(Post).update(key, version=7, title=f"yours {SECRET}")
    error: Any = caught.value
    assert SECRET in error.theirs.title
    assert SECRET in str(error.yours["title"])
    assert "hunter2" not in "".join([str(error), repr(error), repr(error.args), repr(vars(pickle.loads(pickle.dumps(error))))])
    assert await db.repository(Post).get(uuid4()) is None
