-- one row: a version that Flyway has applied, undone or taken as its baseline
SELECT version AS id, type AS kind, success AS is_well FROM {ledger} WHERE version IS NOT NULL ORDER BY installed_rank
