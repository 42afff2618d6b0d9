-- one row: a role that every database starts with
INSERT INTO roles (name, description) VALUES ('user', 'every account'), ('admin', 'administration')
