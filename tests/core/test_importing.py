"""Where the team's modules are found."""

import sys
from pathlib import Path

import pytest

from pgkeel.core.importing import search_in


def test_the_teams_folder_comes_after_pythons_own_and_before_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", ["/lib/python3.13", "/venv/lib/python3.13/site-packages", "/elsewhere"])
    (tmp_path / "src").mkdir()

    search_in(tmp_path, tmp_path / "src", tmp_path / "missing")
    search_in(tmp_path)

    assert sys.path == [
        "/lib/python3.13",
        str(tmp_path),
        str(tmp_path / "src"),
        "/venv/lib/python3.13/site-packages",
        "/elsewhere",
    ]
