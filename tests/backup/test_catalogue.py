import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import IO

import pytest
from msgspec.structs import replace as changed

from pgkeel.backup import Fault, Folder, KeyTaken, Record, new_identity, read_catalogue, recipient_of, seal, verify, write_record
from pgkeel.core.repository import Repository

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
Replace = Callable[[Repository, str, bytes], None]


def write(sink: IO[bytes]) -> None:
    sink.write(bytes(range(256)) * 40)


def stored(repository: Repository, name: str = "20260102T030405Z-a", *, at: datetime = AT) -> Record:
    """Store a small backup and return its record."""
    recipients = [recipient_of(new_identity())]
    key = f"777/{name}/base"
    parts = seal(write, key=key, repositories=[repository], recipients=recipients, part=200)
    record = Record(name, "full", None, "777", "17.11", 1, "0/2000028", "0/2000120", at, at, parts)
    write_record(repository, record)
    return record


def test_the_catalogue_is_read_without_any_key(repository: Repository) -> None:
    late = stored(repository, "b", at=AT.replace(year=2027))
    early = stored(repository, "c")

    catalogue = read_catalogue(repository)

    assert catalogue.records == (early, late)
    assert (catalogue.faults, catalogue.unfinished) == ((), ())


def test_a_whole_repository_has_no_damage(repository: Repository) -> None:
    record = stored(repository)

    assert verify(repository) == verify(repository)
    heard: list[tuple[int, int]] = []
    verify(repository, progress=lambda done, total: heard.append((done, total)))
    assert heard[-1] == (record.bytes, record.bytes)
    assert (verify(repository).checked, verify(repository).damaged) == (1 + len(record.parts), ())


def test_a_flipped_bit_is_found_in_records_and_parts(folder: Folder, replace: Replace) -> None:
    stored(folder)
    for key in [one.key for one in folder.list()]:
        whole = folder.get(key) or b""
        for place in range(0, len(whole), 7):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << (place % 8)
            (folder.root / key).write_bytes(damaged)
            assert [fault.object for fault in verify(folder).damaged] == [key], (key, place)
        (folder.root / key).write_bytes(whole)
    assert verify(folder).damaged == ()


def test_a_missing_and_a_truncated_part_are_named(repository: Repository, replace: Replace) -> None:
    first, second = stored(repository).parts[:2]
    repository.delete(first.key)
    replace(repository, second.key, (repository.get(second.key) or b"")[:-1])

    verdict = verify(repository)

    size = f"has {second.bytes - 1} bytes instead of {second.bytes}"
    assert verdict.damaged == (Fault(first.key, "missing"), Fault(second.key, size))


def test_a_damaged_record_hides_no_other_backup(folder: Folder, replace: Replace) -> None:
    good, bad = stored(folder, "a"), stored(folder, "b")
    replace(folder, f"{bad.folder}/backup.json", b"{")

    catalogue = read_catalogue(folder)

    assert catalogue.records == (good,)
    assert catalogue.faults == (Fault("777/b/backup.json", "is no record"),)


def test_a_record_that_was_copied_elsewhere_is_not_believed(folder: Folder) -> None:
    record = stored(folder)
    folder.put("777/elsewhere/backup.json", folder.get(f"{record.folder}/backup.json") or b"")

    assert [fault.object for fault in verify(folder).damaged] == ["777/elsewhere/backup.json"]


def test_a_lost_record_leaves_objects_that_are_named_as_unfinished(folder: Folder) -> None:
    record = stored(folder)
    folder.delete(f"{record.folder}/backup.json")

    assert verify(folder).unfinished == tuple(part.key for part in record.parts)


def test_a_record_is_never_replaced_by_another(repository: Repository) -> None:
    record = stored(repository)
    write_record(repository, record)

    with pytest.raises(KeyTaken):
        write_record(repository, changed(record, timeline=2))
    assert read_catalogue(repository).records == (record,)


@pytest.mark.faults
def test_a_writer_that_is_killed_leaves_no_backup_and_harms_none(folder: Folder) -> None:
    record = stored(folder)
    code = """if True:
        import os, sys; from pathlib import Path
        from pgkeel.backup import Folder, new_identity, recipient_of, seal
        def write(sink):
            while True: sink.write(os.urandom(1 << 20))
        print("begun", flush=True)
        seal(write, key="777/killed/base", repositories=[Folder("local", Path(sys.argv[1]))],
             recipients=[recipient_of(new_identity())], part=1 << 20)
    """
    with subprocess.Popen([sys.executable, "-c", code, folder.root], stdout=subprocess.PIPE) as writer:
        while not list(folder.list("777/killed")):
            assert writer.poll() is None
        writer.send_signal(signal.SIGKILL)

    verdict = verify(folder)

    folder.sweep()
    assert read_catalogue(folder).records == (record,)
    assert verdict.damaged == ()
    assert verdict.unfinished
    assert all(key.startswith("777/killed/") for key in verdict.unfinished)
