-- the log of an older version that noted updates in audit.fresh, by pg_dump of what it installed; run as pgkeel_audit
SET check_function_bodies = off;
CREATE FUNCTION audit.chained(previous bytea, number bigint, epoch integer, lower_xid bigint, upper_xid bigint, month date, rows bigint, batch bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT sha256(previous || convert_to(jsonb_build_array(number, epoch, lower_xid, upper_xid, to_char(month, 'YYYY-MM-DD'), rows)::text,
        'UTF8') || batch)
$$;
CREATE FUNCTION audit.columns_of(target regclass) RETURNS text[]
LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute WHERE attrelid = target AND attnum > 0 AND NOT attisdropped
$$;
CREATE FUNCTION audit.digest_of(given_epoch integer, lower_xid bigint, upper_xid bigint, given_month date) RETURNS TABLE(rows bigint, digest bytea)
LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT count(*), sha256(coalesce(string_agg(sha256(convert_to(json_build_array(
        log.seq, extract(epoch FROM log.at), log.xid, log.epoch, log.actor, log.db_role, log.table_name, log.row_id,
        log.operation, log.before, log.after)::text, 'UTF8')), ''::bytea ORDER BY log.seq), ''::bytea))
    FROM audit.log
    WHERE log.epoch = given_epoch AND log.xid >= lower_xid AND log.xid < upper_xid
      AND log.at >= (given_month::timestamp AT TIME ZONE 'UTC')
      AND log.at < ((given_month + interval '1 month')::timestamp AT TIME ZONE 'UTC')
$$;
CREATE FUNCTION audit.note_truncate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO audit.log (actor, table_name, operation)
    VALUES (nullif(current_setting('pgkeel.actor', true), ''), tg_table_schema || '.' || tg_table_name, 'truncate');
    RETURN NULL;
END
$$;
CREATE FUNCTION audit.public__people_delete() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$BEGIN INSERT INTO audit.log (actor, table_name, row_id, operation, before) SELECT nullif(current_setting('pgkeel.actor', true), ''), 'public.people', one.id::text, 'delete', jsonb_strip_nulls(jsonb_build_object('id', one.id, 'name', one.name, 'email', CASE WHEN one.email IS NOT NULL THEN 'changed' END, 'password_hash', CASE WHEN one.password_hash IS NOT NULL THEN 'changed' END, 'data', one.data, 'updated_at', one.updated_at)) FROM gone AS one; RETURN NULL; END$$;
CREATE FUNCTION audit.public__people_insert() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$BEGIN INSERT INTO audit.log (actor, table_name, row_id, operation, after) SELECT nullif(current_setting('pgkeel.actor', true), ''), 'public.people', one.id::text, 'insert', jsonb_strip_nulls(jsonb_build_object('id', one.id, 'name', one.name, 'email', CASE WHEN one.email IS NOT NULL THEN 'changed' END, 'password_hash', CASE WHEN one.password_hash IS NOT NULL THEN 'changed' END, 'data', one.data, 'updated_at', one.updated_at)) FROM written AS one; RETURN NULL; END$$;
CREATE FUNCTION audit.public__people_update() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$DECLARE c jsonb; BEGIN IF OLD.id IS DISTINCT FROM NEW.id THEN c['id'] := jsonb_build_array(OLD.id, NEW.id); END IF; IF OLD.name IS DISTINCT FROM NEW.name THEN c['name'] := jsonb_build_array(OLD.name, NEW.name); END IF; IF OLD.email IS DISTINCT FROM NEW.email THEN c['email'] := '"changed"'; END IF; IF OLD.password_hash IS DISTINCT FROM NEW.password_hash THEN c['password_hash'] := '"changed"'; END IF; IF OLD.data IS DISTINCT FROM NEW.data THEN c['data'] := jsonb_build_array(OLD.data, NEW.data); END IF; IF OLD.updated_at IS DISTINCT FROM NEW.updated_at THEN c['updated_at'] := jsonb_build_array(OLD.updated_at, NEW.updated_at); END IF; IF c IS NULL THEN RETURN NULL; END IF; INSERT INTO audit.fresh (actor, table_name, row_id, changes) VALUES (current_setting('pgkeel.actor', true), 'public.people', NEW.id::text, c); RETURN NULL; END$$;
CREATE FUNCTION audit.seal_now() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    current_epoch integer;
    lower_xid bigint;
    upper_xid bigint := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
    last_number bigint;
    last_digest bytea;
    batch record;
    sealed bigint := 0;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'audit.seal_now() needs READ COMMITTED' USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM pg_advisory_xact_lock(7163381, 1);
    SELECT epoch.epoch, epoch.first_xid INTO current_epoch, lower_xid FROM audit.epoch AS epoch ORDER BY epoch.epoch DESC LIMIT 1;
    SELECT seal.number, seal.digest INTO last_number, last_digest FROM audit.seal AS seal ORDER BY seal.number DESC LIMIT 1;
    SELECT coalesce(max(seal.to_xid), lower_xid) INTO lower_xid FROM audit.seal AS seal WHERE seal.epoch = current_epoch;
    last_number := coalesce(last_number, 0);
    last_digest := coalesce(last_digest, '\x'::bytea);
    PERFORM audit.take_in(upper_xid);
    FOR batch IN
        SELECT month.month, found.rows, found.digest
        FROM (SELECT DISTINCT date_trunc('month', log.at AT TIME ZONE 'UTC')::date AS month FROM audit.log AS log
              WHERE log.epoch = current_epoch AND log.xid >= lower_xid AND log.xid < upper_xid) AS month,
             audit.digest_of(current_epoch, lower_xid, upper_xid, month.month) AS found
        ORDER BY month.month
    LOOP
        last_number := last_number + 1;
        INSERT INTO audit.seal (number, epoch, from_xid, to_xid, month, rows, previous, digest)
        VALUES (last_number, current_epoch, lower_xid, upper_xid, batch.month, batch.rows, last_digest,
                audit.chained(last_digest, last_number, current_epoch, lower_xid, upper_xid, batch.month, batch.rows, batch.digest))
        RETURNING digest INTO last_digest;
        sealed := sealed + batch.rows;
    END LOOP;
    RETURN sealed;
END
$$;
CREATE FUNCTION audit.shape_of(target regclass) RETURNS text
LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    SELECT target::oid || ':' || string_agg(attnum || ' ' || quote_ident(attname) || ' ' || atttypid, ',' ORDER BY attnum)
    FROM pg_attribute WHERE attrelid = target AND attnum > 0 AND NOT attisdropped
$$;
CREATE FUNCTION audit.take_in(upper_xid bigint) RETURNS void
LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
    WITH taken AS (
        DELETE FROM audit.fresh AS fresh
        USING (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 2147483648 AS xid OFFSET 0) AS top
        WHERE top.xid - ((top.xid - fresh.xmin::text::bigint) & 4294967295) < upper_xid
    )
    INSERT INTO audit.log (seq, at, xid, epoch, actor, db_role, table_name, row_id, operation, before, after)
    SELECT seq, at, xid, epoch, actor, db_role, table_name, row_id, operation, before, after
    FROM audit.waiting AS waiting WHERE waiting.xid < upper_xid
$$;
CREATE TABLE audit.epoch (
    epoch integer NOT NULL,
    opened_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    first_xid bigint NOT NULL,
    after_seal bigint NOT NULL,
    reason text NOT NULL
);
CREATE TABLE audit.fresh (
    seq bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    actor text,
    db_role name DEFAULT SESSION_USER NOT NULL,
    table_name text NOT NULL,
    row_id text,
    changes jsonb NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0');
ALTER TABLE audit.fresh ALTER COLUMN seq ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME audit.fresh_seq_seq
);
CREATE TABLE audit.log (
    seq bigint DEFAULT nextval('audit.fresh_seq_seq'::regclass) NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    xid bigint DEFAULT ((pg_current_xact_id())::text)::bigint NOT NULL,
    epoch integer DEFAULT 1 NOT NULL,
    actor text,
    db_role name DEFAULT SESSION_USER NOT NULL,
    table_name text NOT NULL,
    row_id text,
    operation text NOT NULL,
    before jsonb,
    after jsonb
)
PARTITION BY RANGE (at);
COMMENT ON TABLE audit.log IS 'made by pgkeel, layout bcf80c06eba54ddb';
CREATE VIEW audit.waiting AS
 SELECT fresh.seq,
    fresh.at,
    (top.xid - ((top.xid - ((fresh.xmin)::text)::bigint) & '4294967295'::bigint)) AS xid,
    ( SELECT max(epoch.epoch) AS max
           FROM audit.epoch) AS epoch,
    NULLIF(fresh.actor, ''::text) AS actor,
    fresh.db_role,
    fresh.table_name,
    fresh.row_id,
    'update'::text AS operation,
    COALESCE(image.before, '{}'::jsonb) AS before,
    image.after
   FROM ( SELECT (((pg_snapshot_xmax(pg_current_snapshot()))::text)::bigint + '2147483648'::bigint) AS xid
         OFFSET 0) top,
    audit.fresh,
    LATERAL ( SELECT jsonb_object_agg(changed.key, ((fresh.changes -> changed.key) -> 0)) FILTER (WHERE (((fresh.changes -> changed.key) -> 1) IS NOT NULL)) AS before,
            jsonb_object_agg(changed.key, COALESCE(((fresh.changes -> changed.key) -> 1), (fresh.changes -> changed.key))) AS after
           FROM ( SELECT jsonb_object_keys(fresh.changes) AS key
                 OFFSET 0) changed) image;
CREATE VIEW audit.entries AS
 SELECT log.seq,
    log.at,
    log.xid,
    log.epoch,
    log.actor,
    log.db_role,
    log.table_name,
    log.row_id,
    log.operation,
    log.before,
    log.after
   FROM audit.log
UNION ALL
 SELECT waiting.seq,
    waiting.at,
    waiting.xid,
    waiting.epoch,
    waiting.actor,
    waiting.db_role,
    waiting.table_name,
    waiting.row_id,
    waiting.operation,
    waiting.before,
    waiting.after
   FROM audit.waiting;
CREATE TABLE audit.log_2026_11 (
    seq bigint DEFAULT nextval('audit.fresh_seq_seq'::regclass) NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    xid bigint DEFAULT ((pg_current_xact_id())::text)::bigint NOT NULL,
    epoch integer DEFAULT 1 NOT NULL,
    actor text,
    db_role name DEFAULT SESSION_USER NOT NULL,
    table_name text NOT NULL,
    row_id text,
    operation text NOT NULL,
    before jsonb,
    after jsonb
);
CREATE TABLE audit.log_default (
    seq bigint DEFAULT nextval('audit.fresh_seq_seq'::regclass) NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    xid bigint DEFAULT ((pg_current_xact_id())::text)::bigint NOT NULL,
    epoch integer DEFAULT 1 NOT NULL,
    actor text,
    db_role name DEFAULT SESSION_USER NOT NULL,
    table_name text NOT NULL,
    row_id text,
    operation text NOT NULL,
    before jsonb,
    after jsonb
);
CREATE TABLE audit.role_snapshot (
    name name NOT NULL,
    seen jsonb NOT NULL
);
CREATE TABLE audit.seal (
    number bigint NOT NULL,
    epoch integer NOT NULL,
    from_xid bigint NOT NULL,
    to_xid bigint NOT NULL,
    month date NOT NULL,
    rows bigint NOT NULL,
    previous bytea NOT NULL,
    digest bytea NOT NULL,
    sealed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    retired_at timestamp with time zone
);
CREATE TABLE audit.watched (
    table_name text NOT NULL,
    masked text[] NOT NULL,
    known text[] NOT NULL,
    shape text NOT NULL
);
ALTER TABLE ONLY audit.log ATTACH PARTITION audit.log_2026_11 FOR VALUES FROM ('2026-11-01 00:00:00+00') TO ('2026-12-01 00:00:00+00');
ALTER TABLE ONLY audit.log ATTACH PARTITION audit.log_default DEFAULT;
ALTER TABLE ONLY audit.epoch
    ADD CONSTRAINT epoch_pkey PRIMARY KEY (epoch);
ALTER TABLE ONLY audit.role_snapshot
    ADD CONSTRAINT role_snapshot_pkey PRIMARY KEY (name);
ALTER TABLE ONLY audit.seal
    ADD CONSTRAINT seal_pkey PRIMARY KEY (number);
ALTER TABLE ONLY audit.watched
    ADD CONSTRAINT watched_pkey PRIMARY KEY (table_name);
CREATE INDEX idx_log_find ON ONLY audit.log USING brin (xid, at, table_name text_bloom_ops (n_distinct_per_range='100'), row_id text_bloom_ops (n_distinct_per_range='2000'), actor text_bloom_ops (n_distinct_per_range='500')) WITH (pages_per_range='64', autosummarize='on');
CREATE INDEX log_2026_11_xid_at_table_name_row_id_actor_idx ON audit.log_2026_11 USING brin (xid, at, table_name text_bloom_ops (n_distinct_per_range='100'), row_id text_bloom_ops (n_distinct_per_range='2000'), actor text_bloom_ops (n_distinct_per_range='500')) WITH (pages_per_range='64', autosummarize='on');
CREATE INDEX log_default_xid_at_table_name_row_id_actor_idx ON audit.log_default USING brin (xid, at, table_name text_bloom_ops (n_distinct_per_range='100'), row_id text_bloom_ops (n_distinct_per_range='2000'), actor text_bloom_ops (n_distinct_per_range='500')) WITH (pages_per_range='64', autosummarize='on');
ALTER INDEX audit.idx_log_find ATTACH PARTITION audit.log_2026_11_xid_at_table_name_row_id_actor_idx;
ALTER INDEX audit.idx_log_find ATTACH PARTITION audit.log_default_xid_at_table_name_row_id_actor_idx;
