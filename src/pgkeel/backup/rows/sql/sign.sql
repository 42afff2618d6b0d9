-- one row: who the audit log says wrote the rows of this transaction
SELECT set_config('pgkeel.actor', %(actor)s, true) AS actor;
