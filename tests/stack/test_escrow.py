"""A new machine that has only the repository and its identity reads encrypted columns, also after the outer key was changed."""

import base64
import os
import shutil
from collections.abc import Iterator

import pytest

from tests.projects import Home, backups_at_start, new_home, remove_home


@pytest.fixture
def two() -> Iterator[tuple[Home, Home]]:
    home, other = new_home(backups_at_start()), new_home(backups_at_start())
    yield home, other
    remove_home(other)
    remove_home(home)


@pytest.mark.majors
@pytest.mark.timeout(300)
def test_what_the_hourly_backup_carries_opens_the_keys_that_were_wrapped_after_the_full_one(
    two: tuple[Home, Home], major: str
) -> None:
    home, other = two
    settings = f'[local]\npostgres = "{major}"\nvalkey = false\n'
    (home.root / "pgkeel.toml").write_text(settings)
    home.ok("up")
    home.ok("backup", "full", "--yes")
    fresh = home.root / "fresh.key"
    fresh.touch(mode=0o600)
    fresh.write_text(base64.urlsafe_b64encode(os.urandom(32)).decode())
    home.ok("security", "keys", "rewrap", "--to", "file:fresh.key")
    (home.root / "pgkeel.toml").write_text(f'{settings}[security]\nkey = "file:fresh.key"\n')
    hourly = home.data("backup", "incremental", "--yes")
    shutil.copy(home.root / ".pgkeel-backup" / "identity", other.root / "key")
    (other.root / "pgkeel.toml").write_text(f'{settings}[backup]\nidentity = "file:key"\n')

    done = other.data("recover", "--from", str(home.root / ".pgkeel-backup" / "repository"), "--yes")

    assert hourly["kind"] == ("wal" if int(major) < 17 else "incremental")
    (keys,) = [check for check in done["checks"] if check["name"] == "keys"]
    assert keys["ok"] is True
    assert other.data("security", "keys", "rewrap", "--to", "file:.pgkeel/secrets/fields.key", "--dry-run")["keys"] == 0
