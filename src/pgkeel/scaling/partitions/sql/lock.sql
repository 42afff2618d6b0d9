-- utility: nobody else reads or writes the table until the transaction ends
LOCK TABLE ONLY {table} IN ACCESS EXCLUSIVE MODE
