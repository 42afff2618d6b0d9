-- one row: a migration that node-pg-migrate has applied
SELECT name::text AS id, true AS is_well FROM {ledger} ORDER BY id
