"""Copy or unpack an installation to where the servers' account can execute it: all of it or nothing."""

import contextlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pgkeel.local.folders import FolderNotWritable, make_folder

__all__ = ["stage_archive", "stage_file", "stage_tree"]


def stage_archive(archive: Path, target: Path) -> Path:
    """Unpack the one folder of a `.tar.gz` as `target` and return it; a target that exists is left alone."""
    with _arriving(target) as arriving, tarfile.open(archive, "r:gz") as tar:
        if hasattr(tarfile, "data_filter"):  # 3.11.2, as Debian 12 has it, does not; the content's hash was compared anyway
            tar.extraction_filter = tarfile.data_filter
        tar.extractall(arriving)  # noqa: S202 - filtered where filters exist, and pinned by hash  # nosec B202
        _settle(next(arriving.iterdir()), target)
    return target


def stage_tree(source: Path, target: Path) -> Path:
    """Copy an installation as `target` and return it; a target that exists is left alone.

    Copies, no hard links: those would share the mode bits that made the original unreadable.
    """
    with _arriving(target) as arriving:
        copied = Path(shutil.copytree(source, arriving / "tree", symlinks=True))
        _settle(copied, target)
    return target


def stage_file(source: Path, target: Path) -> Path:
    """Copy one program as `target` and return it; a target that exists is left alone."""
    with _arriving(target) as arriving:
        _settle(Path(shutil.copy(source, arriving / "file")), target)
    return target


@contextlib.contextmanager
def _arriving(target: Path) -> Iterator[Path]:
    """Yield a folder beside the target that is gone afterwards, whatever happens."""
    make_folder(target.parent)
    try:
        with tempfile.TemporaryDirectory(prefix=".arriving-", dir=target.parent) as folder:
            yield Path(folder)
    except OSError as err:
        raise FolderNotWritable(
            f"cannot write {target}: {err.strerror or err}", hint="free space there, or set PGKEEL_RUNTIME to another folder"
        ) from err


def _settle(tree: Path, target: Path) -> None:
    """Make everything readable, then rename: whoever came first wins, and nobody sees a half."""
    for path in [tree, *tree.rglob("*")]:
        os.chown(path, os.getuid(), os.getgid(), follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    if not target.exists():
        with contextlib.suppress(FileExistsError, OSError):
            tree.rename(target)
    if not target.exists():
        raise OSError(f"{target} did not come into being")
