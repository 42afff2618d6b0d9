-- one row: nothing; the table's triggers are gone then
SELECT audit.unwatch(%(name)s);
