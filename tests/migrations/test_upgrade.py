"""Migrations from a program."""

import threading
from pathlib import Path

import pytest

from pgkeel.core.errors import Unreachable
from pgkeel.core.url import Url
from pgkeel.migrations import Options, Outcome, Source, downgrade, outstanding, upgrade
from pgkeel.migrations.errors import DataLoss
from pgkeel.postgres import Connection, connect
from tests.migrations.folders import Tables, Write

TABLE = (
    "-- Up Migration\nBEGIN;\nCREATE TABLE {name} (id int PRIMARY KEY);\nCOMMIT;\n{more}-- Down Migration\nDROP TABLE {name};\n"
)


def test_a_service_brings_its_database_up_to_date_with_one_call(empty_db: Url, app: Source, write: Write, tables: Tables) -> None:
    write("20240101000000_a", TABLE.format(name="a", more=""))

    assert [state.name for state in outstanding(empty_db, [app])] == ["a"]
    assert [step.name for step in upgrade(empty_db.reveal(), [app]).steps] == ["a"]
    assert outstanding(empty_db, [app]) == ()
    assert upgrade(empty_db, [app]).steps == ()
    assert tables() == {"a"}


def test_without_sources_those_of_the_project_in_the_current_folder_count(
    empty_db: Url, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app: Source, write: Write, tables: Tables
) -> None:
    write("20240101000000_a", TABLE.format(name="a", more=""))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PGKEEL_DATABASE__URL", "env:THE_URL")
    monkeypatch.setenv("THE_URL", empty_db.reveal())

    outcome = upgrade(empty_db)

    assert {step.source for step in outcome.steps} == {"pgkeel", "app"}
    assert "a" in tables()
    assert [step.name for step in downgrade(empty_db).steps] == ["a"]


def test_a_downgrade_loses_no_rows_unless_it_may(
    connection: Connection, empty_db: Url, app: Source, write: Write, tables: Tables
) -> None:
    write("20240101000000_a", TABLE.format(name="a", more=""))
    upgrade(empty_db, [app])
    connection.execute("INSERT INTO a VALUES (1)")

    with pytest.raises(DataLoss):
        downgrade(empty_db, [app])
    downgrade(empty_db, [app], Options(allow_data_loss=True))
    assert tables() == set()


def test_many_services_may_start_at_once(empty_db: Url, app: Source, write: Write) -> None:
    index = "CREATE INDEX CONCURRENTLY {name}_id ON {name} (id);\n"
    for number in range(6):
        name = f"t{number}"
        write(f"{20240101000000 + number}_{name}", TABLE.format(name=name, more=index.format(name=name)))
    outcomes: list[Outcome] = []
    services = [threading.Thread(target=lambda: outcomes.append(upgrade(empty_db, [app]))) for _ in range(8)]

    for service in services:
        service.start()
    for service in services:
        service.join()

    assert sorted(len(outcome.steps) for outcome in outcomes) == [0] * 7 + [6]
    with connect(empty_db) as opened:
        assert opened.execute("SELECT FROM pg_index WHERE NOT indisvalid").rowcount == 0


def test_a_server_that_is_away_is_said_to_be(app: Source) -> None:
    with pytest.raises(Unreachable):
        upgrade("postgresql://nobody@127.0.0.1:1/nothing", [app])
