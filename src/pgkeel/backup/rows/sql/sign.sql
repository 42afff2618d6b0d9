-- one row: who the audit log says wrote the rows of this transaction, which waits for no lock for ever
SELECT set_config('pgkeel.actor', %(actor)s, true) AS actor, set_config('lock_timeout', %(patience)s, true) AS patience;
