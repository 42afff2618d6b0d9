"""Carry on with the backfills that wait, wherever they stopped; those that somebody paused are left alone."""

from datetime import timedelta

from pgkeel.agent.context import Context
from pgkeel.agent.jobs.job import Job, Result
from pgkeel.migrations import Options, backfill
from pgkeel.migrations.backfill import BackfillState

__all__ = ["JOB"]

_AT_ONCE = Options(wait=timedelta())


def carry_on(context: Context) -> Result:
    """Run them; the ledger keeps each batch from being done twice, so a run that is cut costs nothing."""
    with context.connect() as connection:
        waiting = [state for state in backfill.states(connection) if _may_run(state)]
        found: tuple[BackfillState, ...] = ()
        if waiting:
            with context.connect("monitor") as monitor:
                for version in dict.fromkeys(state.version for state in waiting):
                    found += backfill.run(connection, version, options=_AT_ONCE, monitor=monitor)
        with connection.transaction():
            context.finish(connection)
    left = sum(state.status != "finished" for state in found)
    return {"run": len(waiting), "left": left}


def _may_run(state: BackfillState) -> bool:
    """Return whether it waits, and needs no keys: those stay with `pgkeel up` and `pgkeel migrate backfill run`."""
    needs_keys = state.options.get("code", "").startswith(("encrypt.", "decrypt."))
    return state.status not in {"finished", "paused"} and not needs_keys


JOB = Job(name="backfills", schedule="*/5 * * * *", role="owner", deadline=timedelta(hours=12), needs_leader=True, run=carry_on)
