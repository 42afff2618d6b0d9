-- one row: how far the index build of a session has come
SELECT phase,
       CASE WHEN blocks_total > 0 THEN (100 * blocks_done / blocks_total)::integer ELSE 0 END AS percent,
       lockers_total - lockers_done AS waiting_for
FROM pg_stat_progress_create_index
WHERE pid = %(pid)s AND phase IS NOT NULL
ORDER BY 1
