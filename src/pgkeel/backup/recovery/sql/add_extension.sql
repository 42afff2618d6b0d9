-- utility: an extension of PostgreSQL's own; one that is there stays where it is.
CREATE EXTENSION IF NOT EXISTS {name} SCHEMA {schema}
