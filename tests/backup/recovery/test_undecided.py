"""Transactions that were prepared and not decided at the point: nothing waits for their locks for ever."""

import pytest

from pgkeel.backup.recovery.cut import after_all
from pgkeel.backup.recovery.side import promote
from pgkeel.backup.recovery.undecided import Undecided, require_decided, roll_back_undecided
from tests.backup.recovery.conftest import History, Side

pytestmark = pytest.mark.majors


def test_what_was_prepared_and_not_decided_is_named_with_what_to_type_and_ends_with_a_copy(history: History, side: Side) -> None:
    history.sql("CREATE TABLE held (n int PRIMARY KEY)", "INSERT INTO held VALUES (1)")
    history.sql("BEGIN; TRUNCATE held; PREPARE TRANSACTION 'it''s'")
    history.sql("CREATE TABLE later (n int)")
    wal = history.wal()
    cluster = side.restore(after_all(tuple(wal.commits(history.tools)), 1))
    history.sql("ROLLBACK PREPARED 'it''s'")
    promote(cluster)

    with pytest.raises(Undecided, match=r"1 prepared transaction .* it's \(in postgres\)") as refused:
        require_decided(cluster)
    roll_back_undecided(cluster)

    assert f"psql '{cluster.superuser_url('postgres').without_password().reveal()}'" in refused.value.hint
    require_decided(cluster)
    assert side.values("SELECT n FROM held") == [1]
