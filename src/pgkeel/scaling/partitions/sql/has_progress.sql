-- one row: whether a drain was begun and not ended
SELECT to_regclass(%(progress)s) IS NOT NULL AS has_progress
ORDER BY 1
