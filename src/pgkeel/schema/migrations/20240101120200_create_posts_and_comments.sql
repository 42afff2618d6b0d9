-- Up Migration
BEGIN;
CREATE TABLE posts (
    id              uuid         NOT NULL DEFAULT new_id(),
    user_id         uuid         NOT NULL,
    title           varchar(255) NOT NULL,
    content         text         NOT NULL,
    status          varchar(20)  NOT NULL DEFAULT 'draft',
    metadata        jsonb        NOT NULL DEFAULT '{}',
    published_at    timestamptz,
    created_at      timestamptz  NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at      timestamptz  NOT NULL DEFAULT CURRENT_TIMESTAMP,
    version         bigint       NOT NULL DEFAULT 1,
    deleted_at      timestamptz,
    previous_status varchar(20),
    CONSTRAINT posts_pkey               PRIMARY KEY (id),
    CONSTRAINT posts_user_id_fkey       FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE RESTRICT,
    CONSTRAINT posts_title_check        CHECK (btrim(title) <> ''),
    CONSTRAINT posts_status_check       CHECK (status IN ('draft', 'published', 'archived', 'deleted')),
    CONSTRAINT posts_deleted_check      CHECK ((status = 'deleted') = (deleted_at IS NOT NULL)),
    CONSTRAINT posts_published_at_check CHECK (status <> 'published' OR published_at IS NOT NULL),
    CONSTRAINT posts_metadata_check     CHECK (jsonb_typeof(metadata) = 'object')
);
CREATE INDEX idx_posts_user_status ON posts (user_id, status);
CREATE INDEX idx_posts_user_id ON posts (user_id, created_at DESC, id DESC);
CREATE INDEX idx_posts_published ON posts (published_at DESC, id DESC) WHERE status = 'published';
CREATE INDEX idx_posts_search ON posts USING gin (to_tsvector('english', title || ' ' || content));
CREATE TRIGGER posts_bump_version BEFORE UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION bump_version();
CREATE TRIGGER posts_keep_status BEFORE UPDATE ON posts FOR EACH ROW
    WHEN ((OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)) EXECUTE FUNCTION keep_status('draft');
CREATE TRIGGER posts_set_updated_at BEFORE UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION set_updated_at();

CREATE TABLE comments (
    id              uuid        NOT NULL DEFAULT new_id(),
    post_id         uuid        NOT NULL,
    user_id         uuid        NOT NULL,
    content         text        NOT NULL,
    status          varchar(20) NOT NULL DEFAULT 'visible',
    created_at      timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at      timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    version         bigint      NOT NULL DEFAULT 1,
    deleted_at      timestamptz,
    previous_status varchar(20),
    CONSTRAINT comments_pkey          PRIMARY KEY (id),
    CONSTRAINT comments_post_id_fkey  FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE,
    CONSTRAINT comments_user_id_fkey  FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE RESTRICT,
    CONSTRAINT comments_content_check CHECK (btrim(content) <> ''),
    CONSTRAINT comments_status_check  CHECK (status IN ('visible', 'hidden', 'deleted')),
    CONSTRAINT comments_deleted_check CHECK ((status = 'deleted') = (deleted_at IS NOT NULL))
);
CREATE INDEX idx_comments_post_id ON comments (post_id, created_at, id);
CREATE INDEX idx_comments_user_id ON comments (user_id, created_at DESC, id DESC);
CREATE TRIGGER comments_bump_version BEFORE UPDATE ON comments FOR EACH ROW EXECUTE FUNCTION bump_version();
CREATE TRIGGER comments_keep_status BEFORE UPDATE ON comments FOR EACH ROW
    WHEN ((OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)) EXECUTE FUNCTION keep_status('visible');
CREATE TRIGGER comments_set_updated_at BEFORE UPDATE ON comments FOR EACH ROW EXECUTE FUNCTION set_updated_at();

-- A post takes its comments along when it is soft-deleted, and brings exactly those back: they share its deleted_at.
CREATE TRIGGER posts_soft_delete_comments_post_id AFTER UPDATE ON posts FOR EACH ROW
    WHEN (OLD.deleted_at IS DISTINCT FROM NEW.deleted_at)
    EXECUTE FUNCTION soft_delete_children('comments', 'post_id', 'id', ', status = ''deleted''');
COMMIT;

-- Down Migration
BEGIN;
DROP TABLE comments;
DROP TABLE posts;
COMMIT;
