INSERT INTO settings (name, value) VALUES ('hosts', '');
