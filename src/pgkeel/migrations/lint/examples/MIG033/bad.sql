DROP VIEW active_users;
DROP FUNCTION full_name(text, text);
