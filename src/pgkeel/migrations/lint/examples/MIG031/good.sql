CREATE TABLE login_sessions (id uuid PRIMARY KEY);
