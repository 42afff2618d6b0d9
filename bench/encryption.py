"""What an encrypted field costs its process: sealing and opening 27 bytes, in CPU, against the issue's budget and Fernet."""

import time
from collections.abc import Callable, Iterator

from cryptography.fernet import Fernet

from bench.harness import Entry, Sample, Scale, at_most, budget, paired, ratio
from pgkeel.core.ids import random_id
from pgkeel.testing.keys import ring_for_tests

_CLEAR = b"somebody.else@example.org12"
_REPEATS = 10_000


def entries(scale: Scale) -> Iterator[Entry]:
    """Measure one column's cipher; each figure is the CPU of ten thousand values."""
    field, row, fernet = ring_for_tests().field("users", "email"), random_id(), Fernet(Fernet.generate_key())
    sealed, token = field.seal(row, _CLEAR), fernet.encrypt(_CLEAR)
    works: dict[str, tuple[Callable[[], object], Callable[[], object], float]] = {
        "seal": (lambda: field.seal(row, _CLEAR), lambda: fernet.encrypt(_CLEAR), 4e-6),
        "open": (lambda: field.open(row, sealed), lambda: fernet.decrypt(token), 3e-6),
    }
    for name, (ours, peer, limit) in works.items():
        pairs = paired(_cpu(ours), _cpu(peer), 4 * scale.runs)
        target = at_most(limit * _REPEATS)
        spent = [pair.ours for pair in pairs]
        yield budget(
            f"encryption.{name}.cpu", f"CPU to {name} 10,000 fields of 27 bytes", spent, against="the issue", target=target
        )
        figure = f"CPU to {name} a field, over cryptography's Fernet, which is bound to no row"
        yield ratio(
            f"encryption.{name}.fernet", figure, pairs, better="lower", against="cryptography.fernet", target=at_most(0.5)
        )


def _cpu(work: Callable[[], object]) -> Sample:
    def sample() -> float:
        start = time.process_time()
        for _ in range(_REPEATS):
            work()
        return time.process_time() - start

    return sample
