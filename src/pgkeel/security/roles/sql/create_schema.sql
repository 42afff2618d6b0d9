-- utility: a schema of ours
CREATE SCHEMA {schema} AUTHORIZATION {owner}
