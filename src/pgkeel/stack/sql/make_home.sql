-- utility: in a copy, the schema in which migrations run, for the tenant who has none yet
CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {role}
