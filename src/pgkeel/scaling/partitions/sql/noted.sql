-- one row per noted change, the oldest first: its number and the month of its row (none: infinite)
SELECT number,
       CASE WHEN isfinite({key}) THEN date_trunc('month', {key} AT TIME ZONE 'UTC') END AS month
FROM {changes}
ORDER BY number
LIMIT %(batch)s
