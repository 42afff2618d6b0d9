-- utility: removes it with the extensions in it.
DROP SCHEMA IF EXISTS {schema} CASCADE
