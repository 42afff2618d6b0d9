-- one row: a migration that yoyo has applied
SELECT migration_id::text AS id, true AS is_well FROM {ledger} ORDER BY id
