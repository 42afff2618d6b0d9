"""Write the sync form of everything in `_async/` into the `_sync/` folder beside it; `--check` fails when one is out of date.

Substitutions work on whole words. One that is never used fails too: the list stays as short as the difference is.
"""

import argparse
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from ruff import find_ruff_bin  # type: ignore[import-untyped]

HEADER = "# Generated from {source} by tools/unasync.py; do not edit.\n"
SUBSTITUTIONS = (
    (r"\bAbstractAsyncContextManager\b", "AbstractContextManager"),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\b_async\b", "_sync"),
    (r"\b_colour\.asynchronous\b", "_colour.threaded"),
    (r"\b_colour\.crowd\b", "_colour.crowd_of_threads"),
    (r"\b_colour\.nodes\b", "_colour.nodes_of_threads"),
    (r"\b_drivers\.asynchronous\b", "_drivers.threaded"),
    (r"\bredis\.asyncio\b", "redis"),
    (r"\baclose\b", "close"),
    (r"\b__aenter__\b", "__enter__"),
    (r"\b__aexit__\b", "__exit__"),
    (r"\basync with\b", "with"),
    (r"\basync for\b", "for"),
    (r"\basync def\b", "def"),
    (r"\bawait ", ""),
    (r"\bsqlalchemy\.ext\.asyncio\.engine\b", "sqlalchemy.engine"),
    (r"\bsqlalchemy\.ext\.asyncio\.session\b", "sqlalchemy.orm.session"),
    (r"\bcreate_async_engine\b", "create_engine"),
    (r"\bAsyncEngine\b", "Engine"),
    (r"\bAsyncSession\b", "Session"),
    (r"\bAwaitable\[([^\[\]]+)\]", r"\1"),
    (r"\bCoroutine\[Any, Any, ([^\[\]]+)\]", r"\1"),
    (r"\bAwaitable, ", ""),
)
_COMPILED = tuple((re.compile(pattern), replacement) for pattern, replacement in SUBSTITUTIONS)


def to_sync(text: str, used: Counter[str] | None = None) -> str:
    """Return the sync form of async source; how often each substitution was used is added to `used`."""
    for pattern, replacement in _COMPILED:
        text, count = pattern.subn(replacement, text)
        if used is not None:
            used[pattern.pattern] += count
    return text


def formatted(text: str, path: Path) -> str:
    """Return the source as ruff writes it: shorter words make other line breaks."""
    for command in (["check", "--fix", "--select", "F401,I,RUF022", "--quiet"], ["format", "--quiet"]):
        arguments = [find_ruff_bin(), *command, "--stdin-filename", str(path), "-"]
        text = subprocess.run(arguments, input=text, capture_output=True, check=True, text=True).stdout
    return text


def generate(root: Path) -> tuple[dict[Path, str], Counter[str]]:
    """Return path → text of every sync file below a folder, and how often each substitution was used."""
    used: Counter[str] = Counter()
    files = {}
    for source in sorted(root.rglob("_async/*.py")):
        target = source.parents[1] / "_sync" / source.name
        text = HEADER.format(source=source.relative_to(root).as_posix()) + to_sync(source.read_text(encoding="utf-8"), used)
        files[target] = formatted(text, target)
    return files, used


def outdated(files: dict[Path, str]) -> list[Path]:
    """Return the generated files that differ from the disk, those without a source included."""
    folders = {path.parent for path in files}
    strays = [path for folder in folders for path in sorted(folder.glob("*.py")) if path not in files]
    return [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text] + strays


def write(files: dict[Path, str]) -> None:
    """Bring the disk up to date."""
    for path in outdated(files):
        path.parent.mkdir(exist_ok=True)
        if path in files:
            path.write_text(files[path], encoding="utf-8")
        else:
            path.unlink()


def main() -> int:
    """Write or check; 1 when something is out of date or a substitution is not used."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when a file is out of date")
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parents[1] / "src")
    arguments = parser.parse_args()
    files, used = generate(arguments.root)
    unused = [pattern.pattern for pattern, _ in _COMPILED if not used[pattern.pattern]]
    stale = outdated(files) if arguments.check else []
    for pattern in unused:
        print(f"this substitution is never used: {pattern}", file=sys.stderr)
    for path in stale:
        print(f"out of date: {path}; run tools/unasync.py", file=sys.stderr)
    if not arguments.check:
        write(files)
    return 1 if unused or stale else 0


if __name__ == "__main__":
    sys.exit(main())
