-- one row: the statement timeout of the session, in milliseconds
SELECT set_config('statement_timeout', %(value)s, false) AS statement_timeout
ORDER BY 1
