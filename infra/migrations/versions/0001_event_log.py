"""The event log, idempotency records, subscriptions, processes, outbox, inbox and dead letters."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

UP = """
-- The tables and types of the eventsourcing library's PostgreSQL application recorder, column for column.
CREATE TABLE stored_events (
    originator_id uuid NOT NULL,
    originator_version bigint NOT NULL,
    topic text,
    state bytea,
    notification_id bigserial,
    PRIMARY KEY (originator_id, originator_version)
) WITH (
    autovacuum_enabled = true,
    autovacuum_vacuum_threshold = 100000000,
    autovacuum_vacuum_scale_factor = 0.5,
    autovacuum_analyze_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.01
);
CREATE UNIQUE INDEX stored_events_notification_id_idx ON stored_events (notification_id ASC);
CREATE TYPE stored_event_uuid AS (originator_id uuid, originator_version bigint, topic text, state bytea);

-- One row per command that changed something, written in the transaction of its events.
CREATE TABLE idempotency_records (
    tenant_id text NOT NULL,
    subject text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    response bytea NOT NULL,
    position bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, subject, key)
);

-- How far each subscription is: a hint for where to start, and the truth per stream.
CREATE TABLE subscription_positions (
    subscription text PRIMARY KEY,
    position bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE subscription_versions (
    subscription text NOT NULL,
    stream_id uuid NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (subscription, stream_id)
);

-- What could not be applied. Events are referred to by stream and version, never copied.
CREATE TABLE dead_letters (
    dead_letter_id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('event', 'command')),
    consumer text NOT NULL,
    stream_id uuid,
    version bigint,
    position bigint,
    message_id uuid,
    body bytea,
    error text NOT NULL,
    attempts integer NOT NULL,
    status text NOT NULL DEFAULT 'parked' CHECK (status IN ('parked', 'waiting', 'retried', 'discarded')),
    parked_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX dead_letters_event_idx ON dead_letters (consumer, stream_id, version) WHERE kind = 'event';
CREATE UNIQUE INDEX dead_letters_command_idx ON dead_letters (consumer, message_id) WHERE kind = 'command';

-- Commands on their way to a worker, written in the transaction of what caused them.
CREATE TABLE outbox (
    outbox_id bigserial PRIMARY KEY,
    message_id uuid NOT NULL UNIQUE,
    queue text NOT NULL,
    body bytea NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    available_at timestamptz NOT NULL DEFAULT now(),
    last_error text
);
CREATE INDEX outbox_due_idx ON outbox (queue, available_at, outbox_id);
CREATE TABLE inbox (
    consumer text NOT NULL,
    message_id uuid NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, message_id)
);

-- State of every process; a deadline is fired by the timer when it has passed.
CREATE TABLE processes (
    process text NOT NULL,
    process_id uuid NOT NULL,
    tenant_id text NOT NULL,
    phase text NOT NULL,
    state bytea NOT NULL,
    waiting_for text NOT NULL,
    deadline_at timestamptz,
    started_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (process, process_id)
);
CREATE INDEX processes_deadline_idx ON processes (deadline_at) WHERE deadline_at IS NOT NULL;
CREATE INDEX processes_board_idx ON processes (tenant_id, updated_at, process, process_id);
"""

DOWN = """
DROP TABLE processes, inbox, outbox, dead_letters, subscription_versions, subscription_positions,
    idempotency_records, stored_events;
DROP TYPE stored_event_uuid;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
