-- utility: a scratch database goes, with the sessions in it
DROP DATABASE IF EXISTS {database} WITH (FORCE)
