-- the log of an older version that wrote into audit.log at once, by a btree, by pg_dump of what it installed; run as pgkeel_audit
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
    SELECT count(*), sha256(coalesce(string_agg(sha256(convert_to(jsonb_build_array(
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
    AS $$DECLARE o jsonb; n jsonb; BEGIN IF OLD.id IS DISTINCT FROM NEW.id THEN o['id'] := to_jsonb(OLD.id); n['id'] := to_jsonb(NEW.id); END IF; IF OLD.name IS DISTINCT FROM NEW.name THEN o['name'] := to_jsonb(OLD.name); n['name'] := to_jsonb(NEW.name); END IF; IF OLD.email IS DISTINCT FROM NEW.email THEN  n['email'] := '"changed"'; END IF; IF OLD.password_hash IS DISTINCT FROM NEW.password_hash THEN  n['password_hash'] := '"changed"'; END IF; IF OLD.data IS DISTINCT FROM NEW.data THEN o['data'] := to_jsonb(OLD.data); n['data'] := to_jsonb(NEW.data); END IF; IF OLD.updated_at IS DISTINCT FROM NEW.updated_at THEN o['updated_at'] := to_jsonb(OLD.updated_at); n['updated_at'] := to_jsonb(NEW.updated_at); END IF; IF n IS NULL THEN RETURN NULL; END IF; INSERT INTO audit.log (actor, table_name, row_id, operation, before, after) VALUES (nullif(current_setting('pgkeel.actor', true), ''), 'public.people', NEW.id::text, 'update', coalesce(o, '{}'), n); RETURN NULL; END$$;
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
CREATE TABLE audit.epoch (
    epoch integer NOT NULL,
    opened_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    first_xid bigint NOT NULL,
    after_seal bigint NOT NULL,
    reason text NOT NULL
);
CREATE SEQUENCE audit.log_seq;
CREATE TABLE audit.log (
    seq bigint DEFAULT nextval('audit.log_seq'::regclass) NOT NULL,
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
CREATE TABLE audit.log_2026_11 (
    seq bigint DEFAULT nextval('audit.log_seq'::regclass) NOT NULL,
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
    seq bigint DEFAULT nextval('audit.log_seq'::regclass) NOT NULL,
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
CREATE INDEX idx_log_place ON ONLY audit.log USING brin (xid, seq, at);
CREATE INDEX idx_log_row ON ONLY audit.log USING btree (table_name, row_id);
CREATE INDEX log_2026_11_table_name_row_id_idx ON audit.log_2026_11 USING btree (table_name, row_id);
CREATE INDEX log_2026_11_xid_seq_at_idx ON audit.log_2026_11 USING brin (xid, seq, at);
CREATE INDEX log_default_table_name_row_id_idx ON audit.log_default USING btree (table_name, row_id);
CREATE INDEX log_default_xid_seq_at_idx ON audit.log_default USING brin (xid, seq, at);
ALTER INDEX audit.idx_log_row ATTACH PARTITION audit.log_2026_11_table_name_row_id_idx;
ALTER INDEX audit.idx_log_place ATTACH PARTITION audit.log_2026_11_xid_seq_at_idx;
ALTER INDEX audit.idx_log_row ATTACH PARTITION audit.log_default_table_name_row_id_idx;
ALTER INDEX audit.idx_log_place ATTACH PARTITION audit.log_default_xid_seq_at_idx;
