"""Ask git which files changed since a commit."""

import subprocess
from pathlib import Path

from pgkeel.core.errors import UsageError

__all__ = ["changed_since"]


def changed_since(reference: str, folder: Path) -> list[Path]:
    """Return the `.sql` files below a folder that were added or changed since a commit, the uncommitted and new ones included.

    Raises:
        UsageError: The folder is in no repository, or the commit does not exist.
    """
    if reference.startswith("-"):
        raise UsageError(f"{reference!r} is not a commit", hint="--since main")
    changed = _git(folder, "diff", "--name-only", "-z", "--relative", "--diff-filter=d", reference, "--", ".")
    fresh = _git(folder, "ls-files", "--others", "--exclude-standard", "-z", "--", ".")
    return sorted({folder / name for name in [*changed, *fresh] if name.endswith(".sql")})


def _git(folder: Path, *arguments: str) -> list[str]:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    except OSError as err:
        raise UsageError(f"git cannot be run: {err.strerror}", hint="name the files instead of --since") from err
    if done.returncode:
        said = done.stderr.strip().splitlines()[:1]
        raise UsageError(f"git: {''.join(said)}", hint="--since takes a commit, a branch or a tag of the project's repository")
    return [name for name in done.stdout.split("\0") if name]
