-- one row: whether the design's table of sessions is kept here
SELECT to_regclass('sessions') IS NOT NULL AS has_sessions
ORDER BY 1
