-- one row: a type as the server spells it
SELECT format_type(to_regtype(%(type)s)::oid, NULL) AS type
ORDER BY 1
