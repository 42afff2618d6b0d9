-- utility: a schema that only a check uses, gone after it.
CREATE SCHEMA IF NOT EXISTS {schema}
