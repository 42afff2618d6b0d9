-- Up Migration
BEGIN;
CREATE TABLE roles (
    id          uuid        NOT NULL DEFAULT gen_random_uuid(),
    name        varchar(20) NOT NULL,
    description text        NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at  timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    version     bigint      NOT NULL DEFAULT 1,
    CONSTRAINT roles_pkey       PRIMARY KEY (id),
    CONSTRAINT roles_name_key   UNIQUE (name),
    CONSTRAINT roles_name_check CHECK (name ~ '^[a-z][a-z0-9_]{0,19}$')
);
CREATE TRIGGER roles_bump_version BEFORE UPDATE ON roles FOR EACH ROW EXECUTE FUNCTION bump_version();
CREATE TRIGGER roles_set_updated_at BEFORE UPDATE ON roles FOR EACH ROW EXECUTE FUNCTION set_updated_at();
INSERT INTO roles (name, description) VALUES ('user', 'every account'), ('admin', 'administration');

-- users.role is the default role, user_roles adds. A password is an Argon2id hash, or '!' where none can log in.
CREATE TABLE users (
    id              uuid         NOT NULL DEFAULT gen_random_uuid(),
    email           varchar(255) NOT NULL,
    username        varchar(50),
    password_hash   varchar(255) NOT NULL,
    role            varchar(20)  NOT NULL DEFAULT 'user',
    status          varchar(20)  NOT NULL DEFAULT 'active',
    created_at      timestamptz  NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at      timestamptz  NOT NULL DEFAULT CURRENT_TIMESTAMP,
    version         bigint       NOT NULL DEFAULT 1,
    deleted_at      timestamptz,
    previous_status varchar(20),
    CONSTRAINT users_pkey                PRIMARY KEY (id),
    CONSTRAINT idx_users_email           UNIQUE (email),
    CONSTRAINT users_username_key        UNIQUE (username),
    CONSTRAINT users_role_fkey           FOREIGN KEY (role) REFERENCES roles (name) ON UPDATE CASCADE ON DELETE RESTRICT,
    CONSTRAINT users_email_check         CHECK (email = lower(btrim(email)) AND email LIKE '_%@_%'),
    CONSTRAINT users_username_check      CHECK (username ~ '^[a-z0-9][a-z0-9_.-]{0,49}$'),
    CONSTRAINT users_password_hash_check CHECK (
        password_hash = '!'
        OR password_hash ~ '^\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}$'
    ),
    CONSTRAINT users_status_check        CHECK (status IN ('active', 'inactive', 'pending', 'suspended', 'deleted')),
    CONSTRAINT users_deleted_check       CHECK ((status = 'deleted') = (deleted_at IS NOT NULL))
);
CREATE INDEX idx_users_status ON users (status);
CREATE INDEX idx_users_active ON users (status, created_at DESC, id DESC) WHERE status = 'active';
CREATE INDEX idx_users_role ON users (role);
CREATE TRIGGER users_bump_version BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION bump_version();
CREATE TRIGGER users_keep_status BEFORE UPDATE ON users FOR EACH ROW
    WHEN ((OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)) EXECUTE FUNCTION keep_status('active');
CREATE TRIGGER users_set_updated_at BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION set_updated_at();

CREATE TABLE user_roles (
    user_id    uuid        NOT NULL,
    role_id    uuid        NOT NULL,
    granted_by uuid,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT user_roles_pkey            PRIMARY KEY (user_id, role_id),
    CONSTRAINT user_roles_user_id_fkey    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT user_roles_role_id_fkey    FOREIGN KEY (role_id) REFERENCES roles (id) ON DELETE RESTRICT,
    CONSTRAINT user_roles_granted_by_fkey FOREIGN KEY (granted_by) REFERENCES users (id) ON DELETE SET NULL
);
CREATE INDEX idx_user_roles_role_id ON user_roles (role_id);
CREATE INDEX idx_user_roles_granted_by ON user_roles (granted_by) WHERE granted_by IS NOT NULL;

CREATE VIEW user_effective_roles WITH (security_invoker = true) AS
    SELECT users.id AS user_id, users.role
    FROM users
    WHERE users.deleted_at IS NULL
    UNION
    SELECT user_roles.user_id, roles.name AS role
    FROM user_roles
    JOIN roles ON roles.id = user_roles.role_id
    JOIN users ON users.id = user_roles.user_id
    WHERE users.deleted_at IS NULL;
COMMIT;

-- Down Migration
BEGIN;
DROP VIEW user_effective_roles;
DROP TABLE user_roles;
DROP TABLE users;
DROP TABLE roles;
COMMIT;
