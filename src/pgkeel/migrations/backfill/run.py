"""Walk along the key in batches, each one transaction with its mark in the state row: a batch is done once or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import msgspec
import psycopg
from psycopg import pq

from pgkeel.core import clock
from pgkeel.core.errors import KeelError
from pgkeel.core.telling import Report, counted, silent
from pgkeel.core.units import Size, format_duration
from pgkeel.migrations.backfill.code import Change, Resolve, Waits, change_by, imported
from pgkeel.migrations.backfill.keys import BackfillKey, Target, bounds, find_target, read_key, step_before
from pgkeel.migrations.backfill.state import BackfillState, chosen, forecast
from pgkeel.migrations.backfill.throttle import Pace, Throttle
from pgkeel.migrations.backfill.watch import WaitWatch
from pgkeel.migrations.errors import BackfillFailed, MigrationBlocked
from pgkeel.migrations.guard import Watcher, jittered, runner_lock, session_role
from pgkeel.migrations.message import as_role, settings
from pgkeel.migrations.options import DEFAULTS, Options
from pgkeel.migrations.source import tenant_of
from pgkeel.postgres import Connection, describe, identifier, load, server_of
from pgkeel.postgres.cache_ledger import forget_cached

__all__ = ["LOCK_KEY", "run"]

LOCK_KEY = int.from_bytes(b"pgkeelB")
_TELL_EVERY = 5.0
_IN_THE_WAY = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)


class _Work(msgspec.Struct, frozen=True):
    connection: Connection
    state: BackfillState
    target: Target
    change: Change
    throttle: Throttle
    pace: Pace
    watch: WaitWatch
    monitor: Connection
    report: Report


def run(
    connection: Connection,
    version: str | None = None,
    *,
    source: str | None = None,
    throttle: Throttle | None = None,
    resolve: Resolve = imported,
    waits: Waits | None = None,
    options: Options = DEFAULTS,
    report: Report = silent,
    monitor: Connection | None = None,
) -> tuple[BackfillState, ...]:
    """Run the backfills of a version, or all that are not finished, and return where they stand afterwards.

    Killed at any instant, the next run goes on behind the last batch that was committed. `pause` stops one before its next
    batch; a run that names its version takes it up again, a run of all leaves it alone.

    Args:
        connection: In autocommit, acting as the owner of the tables.
        version: Whose backfills; None for all.
        source: Only this source's, a tenant's for example.
        throttle: How much at once; a marker's `batch` and `pause` go before it.
        resolve: Gives the function that `code=` names.
        waits: Tells of the `code=` of a finished one whether rows wait for it again; it then begins anew.
        options: `search_path` and how long to wait for another runner.
        report: Told how far it is.
        monitor: Asked how far standbys are behind; its login sees that with `pg_monitor` only. None asks `connection`.

    Raises:
        NotFound: The version has no backfill, or its table or code is not there.
        RunnerBusy: Another runner of backfills is at work.
        BackfillFailed: A batch was refused; those before it are kept.
        MigrationBlocked: A row was held by others for the whole of `throttle.deadline`.
    """
    with Watcher(connection) as watcher:
        role = session_role(connection, watcher)
        with runner_lock(connection, options, report, key=LOCK_KEY):
            for state in chosen(connection, version, source):
                is_again = state.status == "finished" and _waits_again(connection, state, waits, _at_home(state, options), role)
                if (state.status == "finished" and not is_again) or (state.status == "paused" and version is None):
                    continue
                given = (throttle or Throttle()).of(state.options)
                with _session(connection, role, _at_home(state, options), given):
                    work = _prepared(connection, state, given, resolve, watcher, report)
                    _walk(msgspec.structs.replace(work, monitor=monitor or connection))
            return chosen(connection, version, source)


def _waits_again(connection: Connection, state: BackfillState, waits: Waits | None, options: Options, role: str) -> bool:
    """Return whether rows wait for a finished backfill; it begins anew then."""
    code = state.options.get("code")
    if waits is None or code is None:
        return False
    with _session(connection, role, options, Throttle()):
        return waits(connection, code) and load(__name__, "begin_again").run(connection, **state.place) > 0


def _at_home(state: BackfillState, options: Options) -> Options:
    """Return the options with the schema of the tenant whose backfill it is."""
    tenant = tenant_of(state.source)
    return msgspec.structs.replace(options, search_path=(tenant,)) if tenant else options


@contextmanager
def _session(connection: Connection, role: str, options: Options, throttle: Throttle) -> Iterator[None]:
    wanted = settings(
        connection, server_of(connection), role, options, lock=throttle.lock_timeout, statement=timedelta(minutes=5), local=False
    )
    connection.execute("; ".join(wanted).encode())
    try:
        yield
    finally:
        if connection.pgconn.status == pq.ConnStatus.OK:
            connection.execute(f"RESET ALL; {as_role(connection, role)}".encode())


def _prepared(
    connection: Connection, state: BackfillState, throttle: Throttle, resolve: Resolve, watcher: Watcher, report: Report
) -> _Work:
    target = find_target(connection, state.options["table"], state.options.get("key"))
    change = change_by(state.statement) if state.statement is not None else resolve(state.options["code"])
    return _Work(connection, state, target, change, throttle, Pace(throttle), WaitWatch(watcher), connection, report)


def _walk(work: _Work) -> None:
    load(__name__, "begin").run(work.connection, **work.state.place)
    tell_at = clock.monotonic() + _TELL_EVERY
    with work.watch:
        while _batch_patiently(work):
            clock.sleep(work.pace.pause)
            _wait_for_standbys(work)
            if clock.monotonic() >= tell_at:
                _tell(work)
                tell_at = clock.monotonic() + _TELL_EVERY


def _batch_patiently(work: _Work) -> bool:
    """Do one batch, again while others hold its rows; return whether to go on.

    Raises:
        BackfillFailed: The server or the code refused it.
        MigrationBlocked: The deadline is over.
    """
    give_up = clock.monotonic() + work.throttle.deadline.total_seconds()
    while True:
        try:
            return _batch(work)
        except _IN_THE_WAY as err:
            if clock.monotonic() >= give_up:
                hint = "end the session that holds those rows, then run it again: it goes on from here"
                raise MigrationBlocked(f"{work.state.title}: {describe(err)}", hint=hint) from err
            work.pace.yield_to_others()
            clock.sleep(jittered(work.throttle.hold))
        except psycopg.OperationalError:
            raise
        except Exception as err:
            raise _failed(work, err) from err


def _batch(work: _Work) -> bool:
    began = clock.monotonic()
    work.watch.reset()
    with work.connection.transaction():
        row = load(__name__, "claim").row(work.connection, **work.state.place)
        if row is None or row["status"] != "running":
            return False
        lo = _start(work, row["last_key"])
        hi = None if lo is None else _next_bound(work, lo)
        if lo is None or hi is None:
            load(__name__, "finish").run(work.connection, **work.state.place)
            return False
        changing = clock.monotonic()
        rows = work.change(work.connection, lo, hi)
        if rows:
            forget_cached(work.connection, work.target.table, f"{work.target.schema}.{work.target.table}")
        took = timedelta(seconds=clock.monotonic() - began) + work.pace.pause
        load(__name__, "advance").run(work.connection, last_key=str(hi), rows=rows, took=took, **work.state.place)
    work.pace.learn(timedelta(seconds=clock.monotonic() - changing), work.watch.longest)
    return True


def _start(work: _Work, last_key: str | None) -> BackfillKey | None:
    if last_key is not None:
        return read_key(work.target, last_key)
    ends = bounds(work.connection, work.target)
    return None if ends is None else step_before(work.target, ends[0])


def _next_bound(work: _Work, lo: BackfillKey) -> BackfillKey | None:
    names = {"table": identifier(work.target.schema, work.target.table), "key": identifier(work.target.column)}
    found: BackfillKey | None = load(__name__, "next_bound").named(**names).scalar(work.connection, lo=lo, batch=work.pace.batch)
    return found


def _failed(work: _Work, err: Exception) -> BackfillFailed:
    text = describe(err) if isinstance(err, psycopg.Error) else err.message if isinstance(err, KeelError) else _named(err)
    if work.connection.pgconn.status == pq.ConnStatus.OK:
        load(__name__, "fail").run(work.connection, error=text, **work.state.place)
    cause = err.hint if isinstance(err, KeelError) and err.hint else "correct the cause"
    hint = f"the batches before it are kept; {cause}, and `pgkeel migrate backfill run {work.state.version}`"
    return BackfillFailed(f"{work.state.title}: {text}", hint=hint)


def _named(err: Exception) -> str:
    return f"{type(err).__name__}: {err}"


def _wait_for_standbys(work: _Work) -> None:
    told = False
    while (behind := load(__name__, "lag").scalar(work.monitor) or 0) > work.throttle.max_lag:
        if not told:
            work.report(f"{work.state.title}: waiting for a standby that is {Size(behind)} behind")
            told = True
        clock.sleep(timedelta(milliseconds=500))
        if _is_stopped(work):
            return


def _is_stopped(work: _Work) -> bool:
    with work.connection.transaction():
        row = load(__name__, "claim").row(work.connection, **work.state.place)
    return row is None or row["status"] != "running"


def _tell(work: _Work) -> None:
    state = next(each for each in chosen(work.connection, work.state.version) if each.place == work.state.place)
    seen = forecast(work.connection, state)
    left = f", {format_duration(timedelta(seconds=round(seen.left.total_seconds())))} left" if seen.left else ""
    work.report(f"{state.title}: {counted(state.rows_done, 'row')}, {seen.share:.0%}, {seen.rate:,.0f} rows/s{left}")
