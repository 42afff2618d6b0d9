-- one row: the version up to which golang-migrate has applied everything, and whether that one is whole
SELECT version::text AS id, NOT dirty AS is_well FROM {ledger} ORDER BY id
