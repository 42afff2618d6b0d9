"""The documentation says what is so: commands, settings, targets; and nothing about the machine it was written on."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from pgkeel.cli.main import COMMANDS, root
from tests.docs.design import DESIGN, ROOT
from tools import docs

PAGES = ("README.md", "CONTRIBUTING.md", "AGENTS.md", "docs/cli.md", "docs/configuration.md")
ALL_COMMANDS = dict(docs.commands(root))


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def typed_lines() -> list[str]:
    """Every command line that the README and the guides tell people to type."""
    lines = []
    for page in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        # indented blocks, but not the generated list of commands
        blocks.append("\n".join(re.findall(r"^    ((?:make|pytest) .*)$", text, re.MULTILINE)))
        lines += [line for block in blocks for line in block.splitlines() if line.strip()]
    return [line.partition(" #")[0].strip() for line in lines]


@pytest.mark.parametrize("path", ALL_COMMANDS, ids=" ".join)
def test_every_command_has_help_and_is_documented(path: tuple[str, ...]) -> None:
    command = ALL_COMMANDS[path]
    assert command.help
    assert f" pgkeel {' '.join(path)}\n" in (ROOT / "docs/cli.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "path", [path for path, command in ALL_COMMANDS.items() if isinstance(command, click.Group)], ids=" ".join
)
def test_a_group_says_in_whole_sentences_what_each_of_its_commands_does(path: tuple[str, ...]) -> None:
    said = ALL_COMMANDS[path].get_help(click.Context(ALL_COMMANDS[path]))
    assert not [line for line in said.partition("Commands:")[2].splitlines() if line.endswith("...")]


@pytest.mark.parametrize("path", ALL_COMMANDS, ids=" ".join)
def test_every_option_says_what_it_does(path: tuple[str, ...]) -> None:
    silent = [option.name for option in ALL_COMMANDS[path].params if isinstance(option, click.Option) and not option.help]
    assert silent == []


@pytest.mark.parametrize("page", docs.pages(), ids=lambda path: path.name)
def test_a_derived_page_is_what_the_code_says(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == docs.pages()[page], "make docs"


def test_the_readme_lists_the_commands_of_help() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^    pgkeel (\w+)  ", readme, re.MULTILINE) == list(COMMANDS)


def test_the_readme_begins_with_the_two_commands() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line.split("#")[0].split() for line in lines[2:4]] == [["make", "up"], ["make", "test"]]


@pytest.mark.parametrize("line", typed_lines())
def test_what_the_guides_tell_to_type_exists(line: str) -> None:
    words = shlex.split(line)
    match words:
        case ["make", target, *_]:
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), line
        case ["python", "-m", module, *_]:
            assert importlib.util.find_spec(module) is not None, line
        case ["pgkeel", *rest]:
            assert_is_a_command(rest)
        case [".", ".venv/bin/activate"]:
            pass
        case _:
            pytest.fail(f"nobody checks {line!r}")


def assert_is_a_command(words: list[str]) -> None:
    length = max(length for length in range(len(words) + 1) if length == 0 or tuple(words[:length]) in ALL_COMMANDS)
    assert length, words
    command = ALL_COMMANDS[tuple(words[:length])]
    assert not isinstance(command, click.Group), f"{words} names no verb"
    known = {name for parameter in command.params for name in parameter.opts}
    if not command.context_settings.get("ignore_unknown_options"):
        assert {word for word in words[length:] if word.startswith("--")} <= known, words


def test_every_link_of_the_guides_leads_to_a_file() -> None:
    for page in PAGES:
        file = ROOT / page
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", file.read_text(encoding="utf-8")):
            assert (file.parent / target).exists(), f"{page} → {target}"


def test_the_python_of_the_readme_runs(pg_url: str, tmp_path: Path) -> None:
    (tmp_path / "pgkeel.toml").write_text('[database]\nurl = "env:README_URL"\n')
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        command, environment = [sys.executable, "-c", block], {**os.environ, "README_URL": pg_url}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


FORBIDDEN = {
    "a package index": r"pypi\.(?:org|io)|pythonhosted|artifactory|--(?:extra-)?index-url [^-]",
    "a path of somebody's machine": r"(?<![\w.$~*}])/(?:work|root|home|Users|tmp/dev|tmp/wt)/",
    "a password in an address": r"://[\w.-]+:(?!\*\*\*|…|\$|\{|%)[^@/\s:]{12,}@",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_tracked_file_tells(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    told = []
    for file in tracked():
        if file == Path(__file__) or file.suffix in {".svg", ".gz"}:
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            if pattern.search(line):
                told.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert told == []


def test_the_design_is_the_contract_word_for_word() -> None:
    text = DESIGN.read_text(encoding="utf-8")
    assert text.startswith("# Database Design\n")
    assert len(text.splitlines()) == 208
