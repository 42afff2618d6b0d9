-- utility: the role that migrations act as may do all in the scratch database
GRANT ALL ON DATABASE {database} TO {role}
