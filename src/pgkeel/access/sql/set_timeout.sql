-- one row: how long a statement may take until the transaction ends
SELECT set_config('statement_timeout', %(limit)s, true) AS limit
ORDER BY 1
