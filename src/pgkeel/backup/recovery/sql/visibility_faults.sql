-- A table with tuples that its visibility map calls visible to all, or frozen, and that are not.
SELECT c.oid::regclass::text AS name, f.faults
FROM pg_class AS c
CROSS JOIN LATERAL (SELECT (SELECT count(*) FROM {frozen}(c.oid)) + (SELECT count(*) FROM {visible}(c.oid)) AS faults) AS f
WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence = 'p' AND f.faults > 0
ORDER BY c.oid
