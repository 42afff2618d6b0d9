-- one row: nothing; the table's triggers are as they should be then
SELECT audit.watch(format('%%I.%%I', %(schema)s::text, %(table)s::text)::regclass, %(masked)s::text[]);
