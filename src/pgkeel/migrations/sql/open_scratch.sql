-- utility: the role that migrations act as owns the scratch database, as it does the real one
ALTER DATABASE {database} OWNER TO {role}
