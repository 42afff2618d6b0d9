"""What a login costs in CPU that fails for an unknown address, against one that fails for a wrong password."""

import time
from collections.abc import Iterator
from datetime import timedelta

from bench.harness import Entry, Scale, at_least, at_most, paired, ratio
from pgkeel.access.sync import Database
from pgkeel.core.errors import KeelError
from pgkeel.core.ids import random_id
from pgkeel.core.limits import Rate
from pgkeel.core.secret import Secret
from pgkeel.local import choose_account, find_runtime
from pgkeel.postgres import connect
from pgkeel.schema.building import create_all
from pgkeel.schema.models import Base
from pgkeel.security.identity import Policy
from pgkeel.security.sync import Identity
from pgkeel.testing.keys import ring_for_tests
from pgkeel.testing.servers import scratch_cluster

_WRONG = Secret("not the password")


def entries(scale: Scale) -> Iterator[Entry]:
    """Compare the two on a server of its own, with the parameters of Argon2id that a project gets."""
    account = choose_account()
    with scratch_cluster(runtime=find_runtime("17", account=account), account=account) as cluster:
        cluster.create_database("identity")
        url = cluster.superuser_url("identity")
        with connect(url) as connection:
            create_all(Base, connection)
        with Database(url, keys=(keys := ring_for_tests())) as db:
            policy = Policy(attempts=Rate(10**6, timedelta(minutes=1)), guesses=Rate(10**6, timedelta(minutes=1)))
            identity = Identity(db, policy=policy, keys=keys)
            identity.register("known@example.org", Secret("the password"))
            pairs = paired(
                lambda: _cpu(identity, f"{random_id().hex}@example.org"),
                lambda: _cpu(identity, "known@example.org"),
                6 * scale.runs,
            )
    figure = "CPU of a login with an unknown address, against one with a wrong password"
    yield ratio("identity.unknown.most.unix", figure, pairs, better="lower", against="a known user", target=at_most(1.10))
    yield ratio("identity.unknown.least.unix", figure, pairs, better="lower", against="a known user", target=at_least(0.90))


def _cpu(identity: Identity, address: str) -> float:
    began = time.process_time()
    try:
        identity.authenticate(address, _WRONG)
    except KeelError:
        return time.process_time() - began
    raise AssertionError("the password was accepted")
