"""Whether a folder and the swap lie encrypted on their disks: yes, no, or honestly unknown.

PostgreSQL has no encryption of its data files. The kernel can encrypt below it (dm-crypt, fscrypt, gocryptfs, eCryptfs), and on a
cloud volume the host may, which nobody inside can see: that is `unknown`, never `yes`. An operator who knows may attest it.
"""

import os
import re
from pathlib import Path
from typing import Literal

import msgspec

__all__ = ["Rest", "folder_at_rest", "swap_at_rest"]

Answer = Literal["yes", "no", "unknown", "attested"]

_ENCRYPTING = frozenset({"ecryptfs", "fuse.gocryptfs", "fuse.encfs", "fuse.cryfs"})
_ESCAPED = re.compile(
    r"\\([0-7]{3})"
)  # blanks, tabs, line ends and backslashes of a mount point; other letters stand as they are
_MEMORY = frozenset({"tmpfs", "ramfs"})
_VIRTUAL = ("vd", "xvd", "nvme", "nbd", "rbd", "drbd")  # disks that a hypervisor, a cloud or another machine may stand behind
_NO_CIPHERS = ("CRYPT-VERITY", "CRYPT-INTEGRITY", "CRYPT-SUBDEV")  # cryptsetup's devices that prove or carry, and hide nothing


class Rest(msgspec.Struct, frozen=True):
    """An answer and its reason.

    Attributes:
        answer: `yes` and `no` were seen; `unknown` cannot be seen from inside; `attested` is an operator's word.
        reason: What was looked at.
    """

    answer: Answer
    reason: str


class _Mount(msgspec.Struct, frozen=True):
    device: str
    point: str
    kind: str
    source: str


def folder_at_rest(folder: Path, *, root: Path = Path("/"), attested: str | None = None) -> Rest:
    """Return whether what is written into a folder is encrypted on its disk.

    Args:
        folder: An existing folder, for example the data directory.
        root: Where `proc` and `sys` are; a test has its own.
        attested: Who says so, where the machine cannot know.
    """
    mounts = _mounts(root)
    path = os.path.realpath(folder)
    above = [one for one in mounts if _is_below(path, one.point)]
    mount = max(reversed(above), key=lambda one: len(one.point), default=None)  # of two on one folder the later one is seen
    if mount is None:
        found = Rest("unknown", "this system does not tell where the folder is mounted")
    elif mount.kind in _ENCRYPTING:
        found = Rest("yes", f"{mount.point} is {mount.kind}")
    elif mount.kind in _MEMORY:
        found = Rest("yes", f"{mount.point} is {mount.kind}: in memory, on no disk")
    else:
        found = _of_device(mount.device, f"{mount.point} on {mount.source}", root)
    return _or_attested(found, attested)


def swap_at_rest(*, root: Path = Path("/"), attested: str | None = None) -> Rest:
    """Return whether memory that is swapped out is encrypted; without swap nothing is written."""
    try:
        lines = (root / "proc/swaps").read_text(encoding="utf-8").splitlines()[1:]
    except OSError:
        return _or_attested(Rest("unknown", "this system does not tell what it swaps to"), attested)
    places = [line.split()[0] for line in lines if line.strip()]
    if not places:
        return Rest("yes", "there is no swap")
    answers = [_of_swap(place, root) for place in places]
    worst = min(answers, key=lambda one: ("no", "unknown", "yes", "attested").index(one.answer))
    return _or_attested(worst, attested)


def _of_swap(place: str, root: Path) -> Rest:
    if Path(place).name.startswith("zram"):
        return Rest("yes", f"{place} is compressed memory")
    if not place.startswith("/dev/"):
        return folder_at_rest(Path(place).parent, root=root)
    for entry in (root / "sys/block", root / "sys/class/block"):
        device = entry / Path(os.path.realpath(place)).name / "dev"
        if device.is_file():
            return _of_device(device.read_text(encoding="utf-8").strip(), f"swap on {place}", root)
    return Rest("unknown", f"swap on {place}: the device is not described")


def _of_device(device: str, where: str, root: Path) -> Rest:
    """Return the answer for a block device and all that it stands on."""
    block = root / "sys/dev/block" / device
    if device.startswith("0:") or not block.exists():
        return Rest("unknown", f"{where}: a file system over a network or in a container")
    names, crypted = _stack(block)
    if crypted:
        return Rest("yes", f"{where}: {crypted}")
    if any(name.startswith(_VIRTUAL) for name in names) or _is_guest(root):
        return Rest("unknown", f"{where}: not encrypted here; whether the host encrypts {', '.join(names)} cannot be seen")
    return Rest("no", f"{where}: no encryption between the file system and {', '.join(names)}")


def _is_guest(root: Path) -> bool:
    """Return whether this is a virtual machine: its `sda` is what the host makes of it, too."""
    try:
        return (
            re.search(r"^flags\s*:.*\bhypervisor\b", (root / "proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
            is not None
        )
    except OSError:
        return False


def _stack(block: Path) -> tuple[list[str], str]:
    """Return the lowest devices, and the dm-crypt device on the way down or ""."""
    block = block.resolve()
    uuid = block / "dm/uuid"
    kind = uuid.read_text(encoding="utf-8") if uuid.is_file() else ""
    if kind.startswith("CRYPT-") and not kind.startswith(_NO_CIPHERS):
        return [block.name], f"dm-crypt ({kind.split('-')[1]})"
    below = sorted((block / "slaves").iterdir()) if (block / "slaves").is_dir() else []
    if not below:
        return [block.name], ""
    names, crypted = [], []
    for slave in below:
        lower, found = _stack(slave)
        names += lower
        crypted.append(found)
    return names, crypted[0] if all(crypted) else ""


def _mounts(root: Path) -> list[_Mount]:
    try:
        lines = (root / "proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [_mount(line) for line in lines]


def _mount(line: str) -> _Mount:
    before, _, after = line.partition(" - ")
    fields, rest = before.split(), after.split()
    point = _ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields[4])
    return _Mount(fields[2], point, rest[0], rest[1])


def _is_below(path: str, point: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")


def _or_attested(found: Rest, attested: str | None) -> Rest:
    if attested and found.answer in {"no", "unknown"}:
        return Rest("attested", f"{attested} says so; seen here: {found.reason}")
    return found
