DROP TABLE IF EXISTS sessions;
CREATE TABLE sessions (id uuid PRIMARY KEY);
