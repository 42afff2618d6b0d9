"""Servers for tests: quick, thrown away afterwards, and swept up by the next run when a run was killed."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from pgkeel import local
from pgkeel.core.secret import Secret
from pgkeel.local import Account, Cluster, Runtime, Valkey

__all__ = ["FAST", "scratch_cluster", "scratch_folder", "scratch_valkey"]

# the machine may not crash, the server may: what it has committed survives `kill`
FAST: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "log_min_duration_statement": "1s",
}


@contextlib.contextmanager
def scratch_cluster(*, runtime: Runtime, account: Account, settings: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """Yield a running cluster that is gone after the block."""
    with scratch_folder() as folder:
        cluster = Cluster.create(
            folder / "postgres",
            runtime=runtime,
            account=account,
            superuser_password=Secret.generate(),
            name="test",
            settings={**FAST, **(settings or {})},
        )
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.destroy()


@contextlib.contextmanager
def scratch_valkey(*, account: Account) -> Iterator[Valkey]:
    """Yield a running Valkey that is gone after the block."""
    with scratch_folder() as folder:
        valkey = Valkey.create(folder / "valkey", account=account, password=Secret.generate())
        try:
            valkey.start()
            yield valkey
        finally:
            valkey.destroy()


def scratch_folder() -> contextlib.AbstractContextManager[Path]:
    """Return a folder for a block that the servers' account can reach (pytest's own are 0700) and that is gone after it."""
    return local.scratch_folder("pgkeel-test-")
