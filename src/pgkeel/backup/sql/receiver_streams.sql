-- one row: whether the receiver is connected and has caught up
SELECT EXISTS (
    SELECT FROM pg_stat_replication WHERE application_name = %(application)s AND state = 'streaming'
) AS streams
ORDER BY 1
