-- Up Migration
BEGIN;

-- token is the hex SHA-256 of the bearer's secret, never the secret: a dump is not a login.
CREATE TABLE sessions (
    id         uuid         NOT NULL DEFAULT gen_random_uuid(),
    user_id    uuid         NOT NULL,
    token      varchar(255) NOT NULL,
    expires_at timestamptz  NOT NULL,
    created_at timestamptz  NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT sessions_pkey             PRIMARY KEY (id),
    CONSTRAINT idx_sessions_token        UNIQUE (token),
    CONSTRAINT sessions_user_id_fkey     FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT sessions_token_check      CHECK (token ~ '^[0-9a-f]{64}$'),
    CONSTRAINT sessions_expires_at_check CHECK (expires_at > created_at)
);
CREATE INDEX idx_sessions_user_id ON sessions (user_id);
CREATE INDEX idx_sessions_expires_at ON sessions (expires_at);
CREATE TRIGGER users_soft_delete_sessions_user_id AFTER UPDATE ON users FOR EACH ROW
    WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION delete_children('sessions', 'user_id', 'id');
COMMIT;

-- Down Migration
BEGIN;
DROP TRIGGER users_soft_delete_sessions_user_id ON users;
DROP TABLE sessions;
COMMIT;
