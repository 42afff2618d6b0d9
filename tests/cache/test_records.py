"""Records as bytes: every type as it was, what is of another one not at all, and other bytes are refused."""

import random
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any
from uuid import UUID

import pytest

from pgkeel.cache.codec import Codec
from pgkeel.cache.records import Records, decode_records, encode_records

KEY = UUID(int=7)
ROW: tuple[Any, ...] = (
    None, True, -(2**63), 0.1, "ä\0", b"\xff", KEY, datetime(2026, 11, 27, 1, tzinfo=UTC), datetime.fromisoformat("0001-01-01"),
    date(9999, 12, 31), time(1, 2, 3, 4),
    time(1, tzinfo=timezone(timedelta(hours=2))), timedelta(-(10**6), 5, 7), Decimal("1.10"), Decimal("1E+30"),
    ip_address("::1"), ip_interface("10.0.0.1/8"), ip_network("10.0.0.0/8"), [KEY, None], [[1], [2]], [], {"a": [1, {"b": None}]},
)  # fmt: skip


@pytest.mark.parametrize(
    "records",
    [
        [],
        [()],
        [ROW, (None,) * len(ROW)],
        [(1,), ("a",), ([1],), ({"a": True},), (None,)],
        [(ip_address("::1"),), (ip_interface("10.0.0.1/8"),)],
    ],
)
def test_records_come_back_in_their_types(records: Any) -> None:
    back = decode_records(encode_records(records))
    assert back == records
    assert [list(map(type, record)) for record in back] == [list(map(type, record)) for record in records]


@pytest.mark.parametrize("value", [range(3), 1j, float("nan"), Decimal("NaN"), (1, 2), [KEY, "text"], {"a": KEY}, ROW, 2**64])
def test_what_would_not_come_back_is_not_kept(value: Any) -> None:
    assert Codec(Records).encode([(value,), (None,)]) is None


def test_other_bytes_are_refused() -> None:
    whole, chance = encode_records([ROW]), random.Random(7)
    for _ in range(3_000):
        changed = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        with suppress(ValueError):
            decode_records(bytes(changed[: chance.randint(0, len(changed))]))
