-- utility: nobody writes to the table until the transaction ends; who reads goes on.
LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE
