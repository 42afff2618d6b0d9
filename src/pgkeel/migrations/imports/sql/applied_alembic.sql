-- one row: a revision that Alembic stands at
SELECT version_num::text AS id, true AS is_well FROM {ledger} ORDER BY id
