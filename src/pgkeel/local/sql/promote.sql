-- one row: whether the standby became a primary within a minute
SELECT pg_promote(wait => true, wait_seconds => 60) AS promoted
