-- one row per month of UTC that has rows in the default partition; no month for what a calendar cannot hold
SELECT extract(year FROM placed.month)::int AS year,
       extract(month FROM placed.month)::int AS month,
       count(*) AS rows
FROM (
    SELECT CASE
               WHEN {key} >= '0001-01-01 00:00:00+00' AND {key} < '9998-12-01 00:00:00+00'
               THEN date_trunc('month', {key} AT TIME ZONE 'UTC')
           END AS month
    FROM ONLY {default}
) AS placed
GROUP BY placed.month
ORDER BY placed.month
