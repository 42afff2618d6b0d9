-- the log of an older version that noted updates in audit.noted, with numbers, by pg_dump of what it installed; run as pgkeel_audit
SET check_function_bodies = off;
CREATE TYPE audit.note AS (
	at timestamp with time zone,
	actor text,
	db_role name,
	form integer,
	row_id text,
	longs bigint[],
	ints integer[],
	times timestamp with time zone[],
	bools boolean[],
	uuids uuid[],
	changes jsonb
);
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
CREATE TABLE audit.form (
    form integer NOT NULL,
    table_name text NOT NULL,
    longs text[] NOT NULL,
    ints text[] NOT NULL,
    times text[] NOT NULL,
    bools text[] NOT NULL,
    uuids text[] NOT NULL
);
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
    AS $$DECLARE c jsonb; BEGIN IF OLD.name IS DISTINCT FROM NEW.name THEN c['name'] := jsonb_build_array(OLD.name, NEW.name); END IF; IF OLD.email IS DISTINCT FROM NEW.email THEN c['email'] := '"changed"'; END IF; IF OLD.password_hash IS DISTINCT FROM NEW.password_hash THEN c['password_hash'] := '"changed"'; END IF; IF OLD.data IS DISTINCT FROM NEW.data THEN c['data'] := jsonb_build_array(OLD.data, NEW.data); END IF; INSERT INTO audit.noted (note) VALUES (ROW(clock_timestamp(), current_setting('pgkeel.actor', true), session_user, 1, NEW.id::text, NULL, ARRAY[OLD.id, NEW.id], ARRAY[OLD.updated_at, NEW.updated_at], NULL, NULL, c)::audit.note); RETURN NULL; END$$;
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
    SET "TimeZone" TO 'UTC'
    AS $$
    WITH taken AS (
        DELETE FROM audit.noted AS noted
        USING (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 2147483648 AS xid OFFSET 0) AS top
        WHERE top.xid - ((top.xid - noted.xmin::text::bigint) & 4294967295) < upper_xid
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
CREATE TABLE audit.noted (
    seq bigint NOT NULL,
    note audit.note
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0');
ALTER TABLE audit.noted ALTER COLUMN seq ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME audit.noted_seq_seq
);
CREATE TABLE audit.log (
    seq bigint DEFAULT nextval('audit.noted_seq_seq'::regclass) NOT NULL,
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
COMMENT ON TABLE audit.log IS 'made by pgkeel, layout c52a1917e9de71e1';
CREATE VIEW audit.waiting AS
 SELECT note.seq,
    note.at,
    (top.xid - ((top.xid - note.xid) & '4294967295'::bigint)) AS xid,
    ( SELECT max(epoch.epoch) AS max
           FROM audit.epoch) AS epoch,
    NULLIF(note.actor, ''::text) AS actor,
    note.db_role,
    form.table_name,
    note.row_id,
    'update'::text AS operation,
    COALESCE(image.before, '{}'::jsonb) AS before,
    image.after
   FROM ( SELECT (((pg_snapshot_xmax(pg_current_snapshot()))::text)::bigint + '2147483648'::bigint) AS xid
         OFFSET 0) top,
    (( SELECT noted.seq,
            ((noted.xmin)::text)::bigint AS xid,
            (noted.note).at AS at,
            (noted.note).actor AS actor,
            (noted.note).db_role AS db_role,
            (noted.note).form AS form,
            (noted.note).row_id AS row_id,
            (noted.note).longs AS longs,
            (noted.note).ints AS ints,
            (noted.note).times AS times,
            (noted.note).bools AS bools,
            (noted.note).uuids AS uuids,
            (noted.note).changes AS changes
           FROM audit.noted
         OFFSET 0) note
     JOIN audit.form ON ((form.form = note.form))),
    LATERAL ( SELECT jsonb_object_agg(pair.name, pair.old) FILTER (WHERE (pair.old IS NOT NULL)) AS before,
            jsonb_object_agg(pair.name, pair.new) AS after
           FROM ( SELECT value.name,
                    COALESCE(to_jsonb(value.old), 'null'::jsonb) AS old,
                    COALESCE(to_jsonb(value.new), 'null'::jsonb) AS new
                   FROM ( SELECT unnest(form.longs) AS name,
                            unnest(note.longs[:cardinality(form.longs)]) AS old,
                            unnest(note.longs[(cardinality(form.longs) + 1):]) AS new
                          WHERE (note.longs[:cardinality(form.longs)] IS DISTINCT FROM note.longs[(cardinality(form.longs) + 1):])) value
                  WHERE (value.old IS DISTINCT FROM value.new)
                UNION ALL
                 SELECT value.name,
                    COALESCE(to_jsonb(value.old), 'null'::jsonb) AS "coalesce",
                    COALESCE(to_jsonb(value.new), 'null'::jsonb) AS "coalesce"
                   FROM ( SELECT unnest(form.ints) AS name,
                            unnest(note.ints[:cardinality(form.ints)]) AS old,
                            unnest(note.ints[(cardinality(form.ints) + 1):]) AS new
                          WHERE (note.ints[:cardinality(form.ints)] IS DISTINCT FROM note.ints[(cardinality(form.ints) + 1):])) value
                  WHERE (value.old IS DISTINCT FROM value.new)
                UNION ALL
                 SELECT value.name,
                    COALESCE(to_jsonb(value.old), 'null'::jsonb) AS "coalesce",
                    COALESCE(to_jsonb(value.new), 'null'::jsonb) AS "coalesce"
                   FROM ( SELECT unnest(form.times) AS name,
                            unnest(note.times[:cardinality(form.times)]) AS old,
                            unnest(note.times[(cardinality(form.times) + 1):]) AS new
                          WHERE (note.times[:cardinality(form.times)] IS DISTINCT FROM note.times[(cardinality(form.times) + 1):])) value
                  WHERE (value.old IS DISTINCT FROM value.new)
                UNION ALL
                 SELECT value.name,
                    COALESCE(to_jsonb(value.old), 'null'::jsonb) AS "coalesce",
                    COALESCE(to_jsonb(value.new), 'null'::jsonb) AS "coalesce"
                   FROM ( SELECT unnest(form.bools) AS name,
                            unnest(note.bools[:cardinality(form.bools)]) AS old,
                            unnest(note.bools[(cardinality(form.bools) + 1):]) AS new
                          WHERE (note.bools[:cardinality(form.bools)] IS DISTINCT FROM note.bools[(cardinality(form.bools) + 1):])) value
                  WHERE (value.old IS DISTINCT FROM value.new)
                UNION ALL
                 SELECT value.name,
                    COALESCE(to_jsonb(value.old), 'null'::jsonb) AS "coalesce",
                    COALESCE(to_jsonb(value.new), 'null'::jsonb) AS "coalesce"
                   FROM ( SELECT unnest(form.uuids) AS name,
                            unnest(note.uuids[:cardinality(form.uuids)]) AS old,
                            unnest(note.uuids[(cardinality(form.uuids) + 1):]) AS new
                          WHERE (note.uuids[:cardinality(form.uuids)] IS DISTINCT FROM note.uuids[(cardinality(form.uuids) + 1):])) value
                  WHERE (value.old IS DISTINCT FROM value.new)
                UNION ALL
                 SELECT other.name,
                        CASE
                            WHEN (((note.changes -> other.name) -> 1) IS NOT NULL) THEN ((note.changes -> other.name) -> 0)
                            ELSE NULL::jsonb
                        END AS "case",
                    COALESCE(((note.changes -> other.name) -> 1), (note.changes -> other.name)) AS "coalesce"
                   FROM ( SELECT jsonb_object_keys(note.changes) AS name
                          WHERE (note.changes IS NOT NULL)
                         OFFSET 0) other) pair) image
  WHERE (image.after IS NOT NULL);
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
ALTER TABLE audit.form ALTER COLUMN form ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME audit.form_form_seq
);
CREATE TABLE audit.log_2026_11 (
    seq bigint DEFAULT nextval('audit.noted_seq_seq'::regclass) NOT NULL,
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
    seq bigint DEFAULT nextval('audit.noted_seq_seq'::regclass) NOT NULL,
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
CREATE TABLE audit.right_snapshot (
    classid oid NOT NULL,
    objid oid NOT NULL,
    subid integer NOT NULL,
    acl text NOT NULL,
    seen jsonb NOT NULL
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
ALTER TABLE ONLY audit.form
    ADD CONSTRAINT form_pkey PRIMARY KEY (form);
ALTER TABLE ONLY audit.right_snapshot
    ADD CONSTRAINT right_snapshot_pkey PRIMARY KEY (classid, objid, subid);
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
