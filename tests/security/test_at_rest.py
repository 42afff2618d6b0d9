"""Encrypted at rest: yes, no, or honestly unknown. The kernel's view is laid out in a folder of the test's own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pgkeel.security.at_rest import folder_at_rest, swap_at_rest

Machine = Callable[..., Path]
DATA = Path("/")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Lays out /proc and /sys: what / is on, and what each device stands on (`name` → uuid, devices below)."""

    def lay_out(*, mount: str, devices: dict[str, tuple[str, list[str]]], swaps: str = "") -> Path:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/mountinfo").write_text(f"22 1 {mount}\n")
        (tmp_path / "proc/swaps").write_text("Filename Type Size Used Priority\n" + swaps)
        for name in devices:
            (tmp_path / "sys/block" / name / "slaves").mkdir(parents=True)
        for number, (name, (uuid, below)) in enumerate(devices.items()):
            home = tmp_path / "sys/block" / name
            (home / "dev").write_text(f"253:{number}\n")
            if uuid:
                (home / "dm").mkdir()
                (home / "dm/uuid").write_text(uuid)
            for lower in below:
                (home / "slaves" / lower).symlink_to(tmp_path / "sys/block" / lower)
            (tmp_path / "sys/dev/block").mkdir(parents=True, exist_ok=True)
            (tmp_path / f"sys/dev/block/253:{number}").symlink_to(home)
        return tmp_path

    return lay_out


def ext4(number: int = 0) -> str:
    return f"253:{number} / / rw,relatime shared:1 - ext4 /dev/mapper/root rw"


def test_a_disk_of_its_own_without_encryption_is_a_no(machine: Machine) -> None:
    root = machine(mount=ext4(), devices={"sda": ("", [])})

    found = folder_at_rest(DATA, root=root)

    assert found.answer == "no"
    assert "sda" in found.reason


def test_a_volume_on_an_encrypted_disk_is_a_yes(machine: Machine) -> None:
    root = machine(
        mount=ext4(),
        devices={"dm-1": ("LVM-abc", ["dm-0"]), "dm-0": ("CRYPT-LUKS2-0123-root", ["sda"]), "sda": ("", [])},
    )

    assert folder_at_rest(DATA, root=root).answer == "yes"


def test_a_mirror_of_which_one_half_is_in_clear_is_a_no(machine: Machine) -> None:
    devices = {"md0": ("", ["dm-0", "sdb"]), "dm-0": ("CRYPT-LUKS2-0123-x", ["sda"]), "sda": ("", []), "sdb": ("", [])}
    root = machine(mount=ext4(), devices=devices)

    assert folder_at_rest(DATA, root=root).answer == "no"


@pytest.mark.parametrize(
    "mount", ["253:0 / / rw - ext4 /dev/vda1 rw", "0:45 / / rw - overlay overlay rw", "0:50 / / rw - nfs4 filer:/vol rw"]
)
def test_what_a_guest_cannot_see_is_unknown(machine: Machine, mount: str) -> None:
    assert folder_at_rest(DATA, root=machine(mount=mount, devices={"vda": ("", [])})).answer == "unknown"


@pytest.mark.parametrize("kind", ["tmpfs", "fuse.gocryptfs", "ecryptfs"])
def test_memory_and_encrypting_file_systems_are_a_yes(machine: Machine, kind: str) -> None:
    assert folder_at_rest(DATA, root=machine(mount=f"0:31 / / rw - {kind} x rw", devices={"sda": ("", [])})).answer == "yes"


def test_an_operators_word_is_shown_as_such_and_never_as_a_yes(machine: Machine) -> None:
    found = folder_at_rest(DATA, root=machine(mount=ext4(), devices={"vda": ("", [])}), attested="Ada, volume key in KMS")

    assert found.answer == "attested"
    assert "Ada" in found.reason
    assert "cannot be seen" in found.reason


def test_no_swap_is_a_yes_and_swap_on_a_clear_disk_a_no(machine: Machine, tmp_path: Path) -> None:
    root = machine(mount=ext4(), devices={"sda": ("", [])}, swaps="/dev/sda partition 1 0 -2\n")
    before = swap_at_rest(root=root)
    (tmp_path / "proc/swaps").write_text("Filename Type Size Used Priority\n")

    assert before.answer == "no"
    assert swap_at_rest(root=root).answer == "yes"


def test_this_machine_gives_an_answer_with_a_reason(tmp_path: Path) -> None:
    for found in (folder_at_rest(tmp_path), swap_at_rest()):
        assert found.answer in {"yes", "no", "unknown"}
        assert found.reason


@pytest.mark.parametrize("kind", ["VERITY", "INTEGRITY", "SUBDEV"])
def test_a_device_that_proves_and_does_not_encrypt_is_a_no(machine: Machine, kind: str) -> None:
    root = machine(mount=ext4(), devices={"dm-0": (f"CRYPT-{kind}-0123-x", ["sda"]), "sda": ("", [])})

    assert folder_at_rest(DATA, root=root).answer == "no"


def test_the_disk_of_a_virtual_machine_is_unknown_whatever_it_is_called(machine: Machine) -> None:
    root = machine(mount=ext4(), devices={"sda": ("", [])})
    (root / "proc/cpuinfo").write_text("processor : 0\nflags\t\t: fpu vme hypervisor lahf_lm\n")

    assert folder_at_rest(DATA, root=root).answer == "unknown"


def test_a_clear_disk_below_an_encrypted_one_is_found_by_a_name_with_umlauts_and_blanks(machine: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "safe für alle"
    folder.mkdir()
    devices = {"dm-0": ("CRYPT-LUKS2-0123-x", ["sda"]), "sda": ("", []), "sdb": ("", [])}
    root = machine(mount=ext4(), devices=devices)
    mounted = str(folder).replace(" ", "\\040")
    mounts = root / "proc/self/mountinfo"
    mounts.write_text(f"{mounts.read_text()}23 22 253:2 / {mounted} rw - ext4 /dev/sdb rw\n", encoding="utf-8")

    assert folder_at_rest(folder, root=root).answer == "no"


def test_of_two_disks_mounted_on_one_folder_the_later_one_is_seen(machine: Machine) -> None:
    root = machine(mount=ext4(), devices={"dm-0": ("CRYPT-LUKS2-0123-x", ["sda"]), "sda": ("", []), "sdb": ("", [])})
    mounts = root / "proc/self/mountinfo"
    mounts.write_text(f"{mounts.read_text()}23 22 253:2 / / rw - ext4 /dev/sdb rw\n")

    assert folder_at_rest(DATA, root=root).answer == "no"
