"""The migration files and the models say the same, on every major."""

import pytest
import sqlalchemy

from pgkeel.core.url import Url
from pgkeel.postgres import Connection, connect
from pgkeel.postgres.catalog import differences, snapshot
from pgkeel.schema.diagram import from_database, from_metadata
from pgkeel.schema.models import Base
from tests.schema.conftest import engine_of, migrate, revert

pytestmark = pytest.mark.majors

# What every major says of the reference schema. It changes with the schema, in the same commit.
FINGERPRINT = "0333e8b2f553ed07180f955d8427a8519378a20ad6df0830d353992a1f04ac4a"


def test_a_database_made_by_migrations_equals_one_made_by_the_models(migrated: Connection, empty_db: Url) -> None:
    by_migrations = snapshot(migrated)
    revert(migrated)
    Base.metadata.create_all(engine := engine_of(empty_db))
    engine.dispose()

    assert differences(by_migrations, snapshot(migrated)) == ()


def test_every_major_describes_the_reference_schema_alike(reference: Connection) -> None:
    assert snapshot(reference).without("grant", "extension").fingerprint == FINGERPRINT


def test_up_down_up_comes_back_to_the_same_schema(migrated: Connection) -> None:
    first = snapshot(migrated)

    revert(migrated)
    nothing = snapshot(migrated).without("grant", "extension")
    migrate(migrated)

    assert nothing.objects == ()
    assert differences(first, snapshot(migrated)) == ()


def test_dropping_the_models_leaves_nothing_behind(created: Connection, engine: sqlalchemy.Engine) -> None:
    Base.metadata.drop_all(engine)

    assert snapshot(created).without("grant", "extension").objects == ()


def test_the_models_and_the_database_draw_the_same_picture(reference: Connection) -> None:
    from_models, from_catalog = from_metadata(Base.metadata), from_database(reference)

    assert from_models.relations == from_catalog.relations
    for left, right in zip(from_models.entities, from_catalog.entities, strict=True):
        assert (left.name, left.joins) == (right.name, right.joins)
        assert sorted(left.fields, key=str) == sorted(right.fields, key=str)


def test_the_models_can_be_used_right_after_create_all(created: Connection, empty_db: Url) -> None:
    with connect(empty_db) as connection:
        row = connection.execute(
            "INSERT INTO users (email, email_bidx, password_hash) VALUES ('sealed', sha256('a'), '!') RETURNING role"
        ).fetchone()

    assert row == {"role": "user"}
