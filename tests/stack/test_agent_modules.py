"""Which modules the agent imports: the team's, and none that merely lies where somebody types `up`."""

import subprocess
import sys
from pathlib import Path

from tests.projects import Home, environment


def test_the_agent_runs_nothing_of_the_folder_where_up_is_typed_and_finds_the_projects_handlers(
    home: Home, tmp_path: Path
) -> None:
    for folder in (tmp_path, home.root):
        (folder / "secrets.py").write_text("raise SystemExit('a planted module ran')")
    (home.root / "shop_mail.py").write_text("def changed(message): ...")
    with (home.root / "pgkeel.toml").open("a") as file:
        file.write('[agent]\nhandlers = { "post.changed" = "shop_mail:changed" }\n')
    command = [str(Path(sys.executable).with_name("pgkeel")), "-C", str(home.root), "up"]

    env = environment({"PGKEEL_BACKUP__RECEIVE": "false"})
    done = subprocess.run(command, check=False, cwd=tmp_path, env=env, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert home.data("agent", "status")["running"]
