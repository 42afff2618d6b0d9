"""Sealed values: what opens, and that nothing else does."""

import base64
import itertools
import os
import pickle
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pgkeel.core.cipher import OVERHEAD, CannotOpen, Sealed, UnknownKey, header_of, key_of
from pgkeel.core.errors import ConfigError, KeelError
from pgkeel.core.ids import new_id, random_id
from pgkeel.core.secret import Secret
from pgkeel.security.keys import KeyRing, KeyState, LocalProvider, WrappedKey, WrongProvider, ensure_local_key, provider_from
from pgkeel.security.keys.key import context_of

CLEAR = b"somebody.else@example.org12"


def new_provider() -> LocalProvider:
    return LocalProvider(Secret(base64.urlsafe_b64encode(os.urandom(32)).decode()))


def wrapped(provider: LocalProvider, key: int, state: KeyState = "active") -> WrappedKey:
    return WrappedKey(key, state, provider.name, provider.wrap(os.urandom(32), context_of(key)))


@pytest.fixture
def ring() -> KeyRing:
    provider = new_provider()
    made = KeyRing(provider)
    made.take([wrapped(provider, 1, "retired"), wrapped(provider, 2)])
    return made


def test_a_value_comes_back_in_its_own_row_only(ring: KeyRing) -> None:
    email, row = ring.field("users", "email"), random_id()
    sealed = email.seal(row, CLEAR)
    assert email.open(row, sealed) == CLEAR
    assert len(sealed) == len(CLEAR) + OVERHEAD
    assert key_of(sealed) == 2
    others = [(email, random_id()), (ring.field("users", "phone"), row), (ring.field("people", "email"), row), (email, str(row))]
    for field, other in others:
        with pytest.raises(CannotOpen):
            field.open(other, sealed)


def test_a_table_is_the_same_whether_its_schema_public_is_named(ring: KeyRing) -> None:
    named, row = ring.field("public.users", "email"), random_id()
    assert ring.field("users", "email").open(row, named.seal(row, CLEAR)) == CLEAR
    assert named.lookups(CLEAR) == ring.field("users", "email").lookups(CLEAR)
    with pytest.raises(CannotOpen):
        ring.field("other.users", "email").open(row, named.seal(row, CLEAR))


def test_the_same_value_never_looks_the_same(ring: KeyRing) -> None:
    email, row = ring.field("users", "email"), random_id()
    assert len({email.seal(row, CLEAR) for _ in range(100)}) == 100


def mutations(sealed: bytes) -> Iterator[bytes]:
    """Every flipped bit, every length, swapped neighbours, other formats and key ids."""
    for place in range(len(sealed)):
        yield from (sealed[:place] + bytes([sealed[place] ^ (1 << bit)]) + sealed[place + 1 :] for bit in range(8))
        yield sealed[:place]
        yield sealed[place + 1 :]
        yield sealed[:place] + os.urandom(1) + sealed[place:]
        swapped = bytearray(sealed)
        swapped[place], swapped[place - 1] = swapped[place - 1], swapped[place]
        yield bytes(swapped)
    yield from (header_of(key) + sealed[5:] for key in (0, 1, 3, 2**32 - 1))
    yield sealed + sealed


@pytest.mark.parametrize("column", ["email", "phone"])
def test_a_thousand_mutations_of_a_field_are_all_refused(ring: KeyRing, column: str) -> None:
    field, row = ring.field("users", column), random_id()
    tried = 0
    for _ in range(2):
        sealed = field.seal(row, CLEAR)
        for changed in mutations(sealed):
            if changed == sealed:
                continue
            tried += 1
            with pytest.raises((CannotOpen, UnknownKey)) as caught:
                field.open(row, changed)
            assert "example" not in str(caught.value)
    assert tried >= 1000
    swaps = 0
    for first, second in ((random_id(), random_id()) for _ in range(500)):
        for owner, thief in ((first, second), (second, first)):
            swaps += 1
            with pytest.raises(CannotOpen):
                field.open(thief, field.seal(owner, CLEAR))
    assert swaps == 1000


def test_a_digest_depends_on_value_column_and_key(ring: KeyRing) -> None:
    email, phone = ring.field("users", "email"), ring.field("users", "phone")
    assert email.written(b"a") == email.written(b"a")
    found = {email.written(b"a")[0], email.written(b"b")[0], phone.written(b"a")[0]}
    assert len(found) == 3
    assert email.written(b"a")[0] in email.lookups(b"a")


@pytest.mark.parametrize(
    ("states", "now", "then"),
    [
        ({1: "active"}, 1, None),
        ({1: "active", 2: "pending"}, 1, None),
        ({1: "previous", 2: "active"}, 1, 2),
        ({1: "retired", 2: "active"}, 2, 2),
    ],
)
def test_a_write_keeps_the_digest_that_others_look_for(states: dict[int, KeyState], now: int, then: int | None) -> None:
    provider = new_provider()
    keys = {key: wrapped(provider, key, state) for key, state in states.items()}
    ring = KeyRing(provider)
    ring.take(keys.values())
    alone = {}
    for key, found in keys.items():
        single = KeyRing(provider)
        single.take([WrappedKey(key, "active", provider.name, found.wrapped)])
        alone[key] = single.field("users", "email").written(b"a")[0]
    written = ring.field("users", "email").written(b"a")
    assert written == (alone[now], None if then is None else alone[then])
    assert set(ring.field("users", "email").lookups(b"a")) >= {alone[now]}


def test_ids_of_every_kind_bind_a_value(ring: KeyRing) -> None:
    field = ring.field("orders", "note")
    for row in (new_id(), 7, -7, "seven", b"seven"):
        assert field.open(row, field.seal(row, CLEAR)) == CLEAR


def test_a_ring_without_an_active_key_seals_nothing_and_says_what_to_do() -> None:
    field = KeyRing(new_provider()).field("users", "email")
    for act in (lambda: field.seal(1, CLEAR), lambda: field.written(CLEAR)):
        with pytest.raises(ConfigError) as caught:
            act()
        assert "keys add" in caught.value.hint


def test_a_key_that_the_ring_loses_opens_nothing_more() -> None:
    provider = new_provider()
    old, new = wrapped(provider, 1), wrapped(provider, 2)
    ring = KeyRing(provider)
    ring.take([old])
    field = ring.field("users", "email")
    sealed = field.seal(1, CLEAR)
    ring.take([WrappedKey(1, "destroyed", provider.name, None), new])
    with pytest.raises(UnknownKey):
        field.open(1, sealed)


def test_only_the_provider_that_wrapped_a_key_unwraps_it() -> None:
    provider = new_provider()
    key = wrapped(provider, 1)
    with pytest.raises(WrongProvider):
        KeyRing(new_provider()).take([key])
    content = key.wrapped or b""
    for changed in (WrappedKey(2, "active", provider.name, content), WrappedKey(1, "active", provider.name, content[:-1])):
        with pytest.raises(WrongProvider):
            KeyRing(provider).take([changed])


def test_nothing_of_a_key_or_a_value_is_printed_or_pickled(ring: KeyRing) -> None:
    provider = new_provider()
    key = wrapped(provider, 1)
    field, row = ring.field("users", "email"), random_id()
    value = Sealed(field.seal(row, CLEAR), field)
    shown = [repr(each) + str(each) for each in (provider, key, ring, value, [value])]
    assert not [text for text in shown if "example" in text or repr(key.wrapped)[2:10] in text]
    copy = pickle.loads(pickle.dumps(value))
    assert copy == value
    assert hash(copy) == hash(value)
    with pytest.raises(UnknownKey):
        copy.reveal(row)
    assert copy.bound(field).reveal(row) == CLEAR.decode()


def test_a_key_file_is_private_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "fields.key"
    ensure_local_key(file)
    content = file.read_bytes()
    ensure_local_key(file)
    assert file.read_bytes() == content
    assert file.stat().st_mode & 0o777 == 0o600
    assert provider_from("file:fields.key", tmp_path).name == LocalProvider(Secret(content.decode())).name
    file.chmod(0o640)
    _refused("file:fields.key", tmp_path)
    file.chmod(0o600)
    (tmp_path / "link").symlink_to(file)
    _refused("file:link", tmp_path)
    _refused("file:missing", tmp_path)
    (tmp_path / "short").write_text("c2hvcnQ=")
    (tmp_path / "short").chmod(0o600)
    _refused("file:short", tmp_path)
    _refused("file:short", tmp_path)


def _refused(reference: str, folder: Path) -> None:
    with pytest.raises(KeelError) as caught:
        provider_from(reference, folder)
    assert isinstance(caught.value, ConfigError)
    assert caught.value.hint


@pytest.fixture
def impatient() -> Iterator[None]:
    """Threads that take turns as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def problems(ring: KeyRing, column: str) -> list[str]:
    try:
        field = ring.field("users", column)
        return [] if field.lookups(b"x") and field.open("1", field.seal("1", CLEAR)) == CLEAR else ["no key, or another value"]
    except KeelError as err:
        return [err.message]


@pytest.mark.usefixtures("impatient")
def test_a_field_that_another_thread_asks_for_first_has_its_keys() -> None:
    provider = new_provider()
    keys = [wrapped(provider, 1, "retired"), wrapped(provider, 2)]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            ring, start = KeyRing(provider), threading.Barrier(4)
            ring.take(keys)

            def use(_: int, ring: KeyRing = ring, start: threading.Barrier = start) -> list[str]:
                start.wait()
                return [said for number in range(20) for said in problems(ring, f"column{number}")]

            assert [said for found in pool.map(use, range(4)) for said in found] == []


@pytest.mark.usefixtures("impatient")
def test_what_is_sealed_while_the_active_key_changes_opens() -> None:
    provider, end = new_provider(), threading.Event()
    first, second = wrapped(provider, 1), wrapped(provider, 2)
    ring = KeyRing(provider)
    ring.take([first, WrappedKey(2, "pending", provider.name, second.wrapped)])

    def change() -> None:
        states: tuple[tuple[KeyState, KeyState], ...] = (("active", "pending"), ("previous", "active"))
        for number in itertools.cycle(range(500)):
            then, now = states[number % 2]
            ring.take([WrappedKey(1, then, provider.name, first.wrapped), WrappedKey(2, now, provider.name, second.wrapped)])
            ring.field("users", f"column{number}")
            if end.is_set():
                return

    with ThreadPoolExecutor(4) as pool:
        changing = pool.submit(change)
        sealing = [pool.submit(lambda: [said for _ in range(5000) for said in problems(ring, "email")]) for _ in range(3)]
        found = [said for each in sealing for said in each.result()]
        end.set()
        changing.result()
    assert found == []
