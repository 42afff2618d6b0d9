UPDATE {table} SET {old} = {value};
