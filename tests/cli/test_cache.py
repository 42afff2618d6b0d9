from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from pgkeel.cache.sync import Cache
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.secret import Secret
from pgkeel.local import Valkey
from tests.cache.conftest import Threaded, run_now, trust
from tests.projects import Home


class Thing(msgspec.Struct, frozen=True):
    name: str


@pytest.fixture
def elsewhere(home: Home, valkey_db: CacheUrl) -> dict[str, str]:
    """A project whose cache is the test's Valkey."""
    (home.root / "pgkeel.toml").write_text('[cache]\nurl = "env:CACHE_URL"\n')
    return {"CACHE_URL": valkey_db.reveal()}


def answer(home: Home, *arguments: str, env: dict[str, str]) -> dict[str, object]:
    data: dict[str, object] = msgspec.json.decode(home.ok("cache", *arguments, "--json", env=env))["data"]
    return data


def test_stats_show_the_server_and_no_password(home: Home, elsewhere: dict[str, str], valkey_db: CacheUrl) -> None:
    text = home.ok("cache", "stats", env=elsewhere)
    assert "valkey 9" in text
    assert "trusted    yes" in text
    assert answer(home, "stats", env=elsewhere)["is_trusted"] is True
    assert valkey_db.password is not None
    assert valkey_db.password.reveal() not in text


def test_flush_forgets_the_namespace_only_and_can_be_repeated(
    home: Home, elsewhere: dict[str, str], valkey_server: Valkey
) -> None:
    for key in ("{pgkeel}:a", "{pgkeel}:b", "{other}:c", "pgkeel"):
        valkey_server.ask("SET", key, "x")
    assert answer(home, "flush", "--dry-run", env=elsewhere) == {"keys": 2, "dry_run": True}
    assert home.run("cache", "flush", env=elsewhere).returncode == 4
    assert answer(home, "flush", "--yes", env=elsewhere) == {"keys": 2, "dry_run": False}
    assert answer(home, "flush", "--yes", env=elsewhere) == {"keys": 0, "dry_run": False}
    assert valkey_server.ask("EXISTS", "{other}:c", "pgkeel", "{pgkeel}:epoch") == b":3\r\n"


def test_a_password_in_the_file_is_refused_and_not_shown(home: Home) -> None:
    (home.root / "pgkeel.toml").write_text('[cache]\nurl = "redis://ada:geheim@127.0.0.1:1"\n')
    done = home.run("cache", "stats")
    assert (done.returncode, "geheim" in done.stdout + done.stderr) == (2, False)
    assert "geheim" not in home.ok("config", "show")


def test_a_cache_that_does_not_answer_is_told(home: Home) -> None:
    (home.root / "pgkeel.toml").write_text('[cache]\nurl = "redis://127.0.0.1:1"\n')
    assert home.run("cache", "stats").returncode == 3
    assert home.run("cache", "flush", "--yes").returncode == 3


def test_before_the_first_up_the_next_step_is_named(home: Home, tmp_path: Path) -> None:
    done = home.run("cache", "stats")
    assert done.returncode == 3
    assert "pgkeel up" in done.stderr


def test_explain_says_why_a_read_would_miss_and_stats_how_models_do(home: Home, elsewhere: dict[str, str]) -> None:
    (home.root / "pgkeel.toml").write_text('[cache]\nurl = "env:CACHE_URL"\nsecret = "env:CACHE_SECRET"\n')
    elsewhere = {**elsewhere, "CACHE_SECRET": "the secret of the tests"}
    key = str(UUID(int=7))
    with Cache(elsewhere["CACHE_URL"], secret=Secret(elsewhere["CACHE_SECRET"])) as cache:
        run_now(trust(Threaded(cache)))
        rows = cache.rows("things", Thing, key=UUID)
        missed = home.run("cache", "explain", "things", key, env=elsewhere)
        assert (missed.returncode, "nobody has read it yet" in missed.stdout) == (1, True)
        for _ in range(3):
            assert rows.get(key, lambda _: Thing("a")) == Thing("a")
        assert "the cache answers" in home.ok("cache", "explain", "things", key, env=elsewhere)
    assert answer(home, "explain", "things", key, env=elsewhere)["holds"] == "value"
    held = answer(home, "keys", env=elsewhere)
    assert [held[kind] for kind in ("values", "missing", "leases", "marks")] == [1, 0, 0, 0]
    shown = home.ok("cache", "keys", env=elsewhere)
    assert ("values     1" in shown, key in shown, "things" in shown) == (True, False, False)
    assert "66.7% of 3 reads hit" in home.ok("cache", "stats", env=elsewhere)
    misspelt = home.run("cache", "explain", "public.usres", key, env=elsewhere)
    assert (misspelt.returncode, "no model is named public.usres: is users meant?" in misspelt.stdout) == (1, True)
    assert "User is not cached" in home.run("cache", "explain", "public.users", key, env=elsewhere).stderr
    no_text = home.run("cache", "explain", "\udcff", "1", env=elsewhere)
    assert (no_text.returncode, "an argument is no text" in no_text.stderr) == (2, True)
    refused = home.run("cache", "explain", "User", key, env=elsewhere)
    assert (refused.returncode, "User is not cached" in refused.stderr) == (2, True)
