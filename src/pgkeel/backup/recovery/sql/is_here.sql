-- one row: whether there is a table of that name
SELECT to_regclass(format('%%I.%%I', %(schema)s::text, %(name)s::text)) IS NOT NULL AS here
ORDER BY 1
