-- one row: a version that dbmate has applied
SELECT version::text AS id, true AS is_well FROM {ledger} ORDER BY id
