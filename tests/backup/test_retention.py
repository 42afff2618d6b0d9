"""Whatever was taken, kept and pruned in whatever order: what must be restorable is."""

import contextlib
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgkeel.backup import Folder, Part, Record, read_catalogue, verify, write_record
from pgkeel.backup.errors import ObjectLocked
from pgkeel.backup.lease import reading
from pgkeel.backup.lsn import format_lsn, segment_name
from pgkeel.backup.marks import keep, mark_verified, read_marks, unkeep
from pgkeel.backup.overview import overview
from pgkeel.backup.recovery.checks import Check
from pgkeel.backup.recovery.drills import Drill, proved_by
from pgkeel.backup.recovery.resolve import Target
from pgkeel.backup.retention import Policy, plan_prune, prune, retained, wal_is_needed
from pgkeel.backup.wal_index import Segment, read_index, store_segment
from pgkeel.core.errors import LockNotObtained
from pgkeel.core.repository import Repository, Stored

AT = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SYSTEM = "777"
SIZE = 2**20


def record(kind: str, hour: int, parent: str | None = None) -> Record:
    at = AT + hour * HOUR
    place = format_lsn((hour + 1) * SIZE)
    return Record(f"{at:%Y%m%dT%H%M%SZ}-{kind}", kind, parent, SYSTEM, "17.11", 1, place, place, at, at, ())  # type: ignore[arg-type]


@st.composite
def histories(draw: st.DrawFn) -> list[Record]:
    """Full backups and what was built on the newest one then, at growing hours."""
    made: list[Record] = []
    hour = 0
    for kind in draw(st.lists(st.sampled_from(["full", "incremental", "wal"]), max_size=30)):
        hour += draw(st.integers(1, 30))
        fulls = [one for one in made if one.kind == "full"]
        if kind == "full" or not fulls:
            made.append(record("full", hour))
        else:
            made.append(record(kind, hour, fulls[-1].id))
    return made


@given(histories(), st.integers(0, 1000), st.integers(0, 400), st.integers(0, 4), st.data())
def test_every_moment_of_the_window_stays_restorable(
    records: list[Record], age: int, window: int, minimum: int, data: st.DataObject
) -> None:
    now = max([one.finished_at for one in records], default=AT) + age * HOUR
    kept = data.draw(st.sets(st.sampled_from([one.id for one in records]))) if records else set()

    stay = retained(records, Policy(window * HOUR, minimum), kept=kept, now=now)

    by_id = {one.id: one for one in records}
    assert kept <= stay
    assert all(by_id[name].parent in stay for name in stay if by_id[name].parent)
    fulls = [one for one in records if one.kind == "full"]
    assert {one.id for one in fulls[-minimum:]} <= stay if minimum else True
    for hour in range(window + 1):
        moment = now - hour * HOUR
        before = [one for one in fulls if one.finished_at <= moment]
        assert not before or before[-1].id in stay, moment
    assert all(one.id in stay for one in records if one.finished_at > now - window * HOUR)


@given(histories(), st.integers(0, 400))
def test_what_was_pruned_once_is_all_that_a_second_prune_would(records: list[Record], window: int) -> None:
    now = max([one.finished_at for one in records], default=AT)
    policy = Policy(window * HOUR, 1)
    once = retained(records, policy, kept=(), now=now)

    assert retained([one for one in records if one.id in once], policy, kept=(), now=now) == once


def test_a_timeline_that_goes_on_after_an_undone_recovery_keeps_its_full_backup() -> None:
    base, left, after = record("full", 1), msgspec.structs.replace(record("full", 2), timeline=2), record("full", 24)

    assert retained([base, left, after], Policy(10 * HOUR, 1), kept=(), now=AT + 30 * HOUR) == {base.id, left.id, after.id}
    assert retained([base, left, after], Policy(10 * HOUR, 1), kept=(), now=AT + 40 * HOUR) == {after.id}


def test_wal_of_the_own_and_of_later_timelines_is_needed_from_the_base_on() -> None:
    bases = [(2, 100)]

    assert [wal_is_needed(2, end, bases) for end in (99, 100, 101)] == [False, False, True]
    assert wal_is_needed(3, 101, bases)
    assert not wal_is_needed(1, 1000, bases)


def stored(repository: Repository, *records: Record, segments: int = 0) -> None:
    for one in records:
        write_record(repository, one)
    for number in range(segments):
        name = segment_name(1, number * SIZE, size=SIZE)
        repository.put(f"{SYSTEM}/wal/00000001/{name}.00000", b"sealed")
        at = AT + (number - 1) * HOUR
        row = Segment(name, SYSTEM, SIZE, "0" * 64, 1, at, at, at, at, 7, "0/0", True, (), ())
        store_segment(repository, row)


def pruned(repository: Repository, *, hour: int, window: int, minimum: int = 1) -> list[str]:
    plan = plan_prune(repository, Policy(window * HOUR, minimum), now=AT + hour * HOUR)
    return list(prune(repository, plan, holder="test").backups)


def test_pruning_deletes_old_backups_and_the_wal_before_the_oldest_that_stays(repository: Repository) -> None:
    old, base, slice_ = record("full", 1), record("full", 10), record("wal", 12, record("full", 10).id)
    stored(repository, old, base, slice_, segments=20)

    assert pruned(repository, hour=20, window=9) == [old.id]

    assert [one.id for one in read_catalogue(repository).records] == [base.id, slice_.id]
    assert read_index(repository, SYSTEM).segments[0].name == segment_name(1, 11 * SIZE, size=SIZE)
    assert pruned(repository, hour=20, window=9) == []


def test_a_kept_backup_stays_with_its_parent_until_it_is_released(repository: Repository) -> None:
    old, built, new = record("full", 1), record("incremental", 2, record("full", 1).id), record("full", 100)
    stored(repository, old, built, new, segments=3)
    keep(repository, SYSTEM, built.id)

    assert pruned(repository, hour=200, window=5) == []
    unkeep(repository, SYSTEM, built.id)
    assert pruned(repository, hour=200, window=5) == [built.id, old.id]


def test_nothing_is_pruned_while_somebody_reads(repository: Repository) -> None:
    stored(repository, record("full", 1), record("full", 100))

    with reading(repository, SYSTEM, holder="restorer:1"), pytest.raises(LockNotObtained, match="restorer:1"):
        pruned(repository, hour=200, window=5)
    assert len(pruned(repository, hour=200, window=5)) == 1


def test_who_reads_or_keeps_a_backup_after_the_plan_was_made_is_heard(repository: Repository) -> None:
    old, older, new = record("full", 2), record("full", 1), record("full", 100)
    stored(repository, older, old, new, segments=3)
    plan = plan_prune(repository, Policy(5 * HOUR, 1), now=AT + 200 * HOUR)
    assert [one.id for one in plan.backups] == [older.id, old.id]

    with reading(repository, SYSTEM, holder="restorer:1"), pytest.raises(LockNotObtained, match="restorer:1"):
        prune(repository, plan, holder="test")
    keep(repository, SYSTEM, old.id)

    assert prune(repository, plan, holder="test").backups == (older.id,)
    assert [one.id for one in read_catalogue(repository).records] == [old.id, new.id]


def test_pruning_that_is_cut_off_anywhere_leaves_nothing_that_is_damaged(folder: Folder) -> None:
    class Dying(Folder):
        left = 0

        def delete(self, key: str) -> None:
            if "/lease/" not in key:
                self.left -= 1
                if self.left < 0:
                    raise KeyboardInterrupt
            super().delete(key)

    part = Part(f"{SYSTEM}/wal/00000001/{segment_name(1, 0, size=SIZE)}.00000", 6, hashlib.sha256(b"sealed").hexdigest())
    row = Segment(segment_name(1, 0, size=SIZE), SYSTEM, SIZE, "", 1, AT, AT, AT, AT, 7, "0/0", True, (), (part,))
    for left in range(4):
        stored(folder, record("full", 1), record("full", 100))
        folder.put(part.key, b"sealed")
        store_segment(folder, row)
        dying = Dying("local", folder.root)
        dying.left = left
        plan = plan_prune(dying, Policy(5 * HOUR, 1), now=AT + 200 * HOUR)

        with contextlib.suppress(KeyboardInterrupt):
            prune(dying, plan, holder="test")

        assert verify(folder).damaged == ()


def test_clusters_that_are_not_named_keep_what_they_have(repository: Repository) -> None:
    others = [msgspec.structs.replace(record("full", hour), system_identifier="778") for hour in (1, 100)]
    stored(repository, record("full", 1), record("full", 100), *others)

    plan = plan_prune(repository, Policy(5 * HOUR, 1), now=AT + 200 * HOUR, systems={SYSTEM})

    assert [one.folder for one in plan.backups] == [record("full", 1).folder]


def test_an_object_that_is_locked_is_not_yet_due_and_its_backup_stays_whole(folder: Folder) -> None:
    class Locked(Folder):
        def delete(self, key: str) -> None:
            if key.endswith("backup.json"):
                raise ObjectLocked(f"{key} is locked")
            super().delete(key)

    old = record("full", 1)
    stored(folder, old, record("full", 100))
    locked = Locked("geo", folder.root)
    plan = plan_prune(locked, Policy(5 * HOUR, 1), now=AT + 200 * HOUR)

    done = prune(locked, plan, holder="test")

    assert (done.backups, done.locked) == ((), (f"{old.folder}/backup.json",))
    assert old in read_catalogue(folder).records


def test_a_drill_proves_its_chain_and_the_slices_of_wal_that_it_replayed_to_their_ends() -> None:
    full, other = record("full", 1), record("full", 9)
    before, through, beyond = (record("wal", hour, full.id) for hour in (2, 5, 8))
    newer = record("incremental", 3, full.id)
    elsewhere = msgspec.structs.replace(record("wal", 4, full.id), timeline=2)
    records = [full, before, newer, elsewhere, through, beyond, other, record("wal", 10, other.id)]
    found = [Check("rows", ok=True, detail="")]

    def proved(*chain: Record, checks: list[Check] = found) -> tuple[str, ...]:
        target = Target(1, None, through.end_lsn, None)
        names = tuple(one.id for one in chain)
        return proved_by(Drill("d", chain[-1].id, names, SYSTEM, target, AT, AT, 1.0, 0.0, tuple(checks)), records)

    assert proved(full) == (full.id, before.id, through.id)
    assert proved(full, newer) == (full.id, newer.id, through.id)
    assert proved(full, checks=[Check("rows", ok=False, detail="")]) == ()


def test_the_list_says_what_can_be_restored_when_it_expires_and_what_is_missing(repository: Repository) -> None:
    first, second = record("full", 1), record("full", 10)
    stored(repository, first, second, segments=15)
    for ending in ("json", "00000"):
        repository.delete(f"{SYSTEM}/wal/00000001/{segment_name(1, 5 * SIZE, size=SIZE)}.{ending}")
    keep(repository, SYSTEM, second.id)
    mark_verified(repository, SYSTEM, first.id, AT + 3 * HOUR)

    found = overview(repository, Policy(24 * HOUR, 1))

    assert [entry.expires_at for entry in found.entries] == [second.finished_at + 24 * HOUR, None]
    assert [entry.expires_at for entry in overview(repository, Policy(24 * HOUR, 2)).entries] == [None, None]
    assert [entry.verified_at for entry in found.entries] == [AT + 3 * HOUR, None]
    assert [entry.kept for entry in found.entries] == [False, True]
    spans = [(span.start, span.end) for span in found.restorable]
    assert spans == [(first.finished_at, AT + 3 * HOUR), (second.finished_at, AT + 13 * HOUR)]
    assert [(gap.from_lsn, gap.to_lsn) for gap in found.gaps] == [(format_lsn(5 * SIZE), format_lsn(6 * SIZE))]
    assert read_marks(repository).kept == {(SYSTEM, second.id)}


def test_where_nothing_is_due_the_repository_is_not_read_once_more(folder: Folder) -> None:
    class Unread(Folder):
        def list(self, prefix: str = "") -> Iterator[Stored]:
            raise AssertionError(f"{prefix} is listed again")

    write_record(folder, record("full", 0))
    plan = plan_prune(folder, Policy(30 * HOUR, 1), now=AT + HOUR)

    assert prune(Unread("local", folder.root), plan, holder="test").backups == ()
