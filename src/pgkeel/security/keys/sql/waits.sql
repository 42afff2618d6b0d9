-- one row: how long a key must stay in its state until every process knows it; zero or less when all do
SELECT changed_at + %(refresh)s::interval - clock_timestamp() AS "left"
FROM pgkeel.keys
WHERE id = %(id)s
ORDER BY 1
