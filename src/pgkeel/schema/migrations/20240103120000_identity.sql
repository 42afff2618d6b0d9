-- Up Migration
BEGIN;

-- token is the hex SHA-256 of what was sent by mail; one row a user and purpose: a newer token takes the place of the older.
CREATE TABLE user_tokens (
    user_id    uuid        NOT NULL,
    purpose    varchar(20) NOT NULL,
    token      varchar(64) NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT user_tokens_pkey             PRIMARY KEY (user_id, purpose),
    CONSTRAINT idx_user_tokens_token        UNIQUE (token),
    CONSTRAINT user_tokens_user_id_fkey     FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT user_tokens_purpose_check    CHECK (purpose IN ('reset', 'verify')),
    CONSTRAINT user_tokens_token_check      CHECK (token ~ '^[0-9a-f]{64}$'),
    CONSTRAINT user_tokens_expires_at_check CHECK (expires_at > created_at)
);

-- A new password, suspension and deletion end every session, whoever writes them; a rehash of the same password says so.
CREATE TRIGGER users_end_sessions AFTER UPDATE ON users FOR EACH ROW
    WHEN (
        (OLD.password_hash <> NEW.password_hash AND current_setting('pgkeel.rehashed', true) IS DISTINCT FROM NEW.password_hash)
        OR (OLD.status <> NEW.status AND NEW.status <> 'active')
    )
    EXECUTE FUNCTION delete_children('sessions', 'user_id', 'id');
CREATE TRIGGER users_end_tokens AFTER UPDATE ON users FOR EACH ROW
    WHEN (
        (OLD.password_hash <> NEW.password_hash AND current_setting('pgkeel.rehashed', true) IS DISTINCT FROM NEW.password_hash)
        OR OLD.email <> NEW.email
        OR NEW.status IN ('suspended', 'deleted')
    )
    EXECUTE FUNCTION delete_children('user_tokens', 'user_id', 'id');
COMMIT;

-- Down Migration
BEGIN;
DROP TRIGGER users_end_tokens ON users;
DROP TRIGGER users_end_sessions ON users;
DROP TABLE user_tokens;
COMMIT;
