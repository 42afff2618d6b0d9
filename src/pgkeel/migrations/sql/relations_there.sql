-- one row: a name, of those given, that a relation has
SELECT wanted.name
FROM unnest(%(names)s::text[]) AS wanted (name)
WHERE to_regclass(wanted.name) IS NOT NULL
ORDER BY wanted.name
