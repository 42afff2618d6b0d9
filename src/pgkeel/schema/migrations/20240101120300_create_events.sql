-- Up Migration
BEGIN;

-- A partitioned table's key must contain the partition column; bounds carry +00, else they are read in the session's time zone.
CREATE TABLE events (
    id          uuid         NOT NULL DEFAULT new_id(),
    occurred_at timestamptz  NOT NULL DEFAULT CURRENT_TIMESTAMP,
    user_id     uuid,
    type        varchar(100) NOT NULL,
    amount      numeric(19,4),
    currency    varchar(3),
    payload     jsonb        NOT NULL DEFAULT '{}',
    CONSTRAINT events_pkey           PRIMARY KEY (id, occurred_at),
    CONSTRAINT events_user_id_fkey   FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT events_type_check     CHECK (type ~ '^[a-z][a-z0-9_.]*$'),
    CONSTRAINT events_amount_check   CHECK (amount <> 'NaN'),
    CONSTRAINT events_currency_check CHECK ((amount IS NULL) = (currency IS NULL) AND currency ~ '^[A-Z]{3}$'),
    CONSTRAINT events_payload_check  CHECK (jsonb_typeof(payload) = 'object')
) PARTITION BY RANGE (occurred_at);
CREATE INDEX idx_events_occurred_at ON events USING brin (occurred_at);
CREATE INDEX idx_events_user_id ON events (user_id, occurred_at);
CREATE INDEX idx_events_type ON events (type, occurred_at);
CREATE TABLE events_2024_01 PARTITION OF events
    FOR VALUES FROM ('2024-01-01 00:00:00+00') TO ('2024-02-01 00:00:00+00');
CREATE TABLE events_default PARTITION OF events DEFAULT;
COMMIT;

-- Down Migration
BEGIN;
DROP TABLE events;
COMMIT;
