-- utility: the schema of a tenant
CREATE SCHEMA IF NOT EXISTS {schema}
