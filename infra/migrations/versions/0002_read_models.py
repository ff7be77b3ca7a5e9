"""The read models: derived from the log, so every table here can be emptied and filled again."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UP = """
-- Lists are read by keyset, both columns of the pair in the same direction, so that one index serves both directions.
-- Rows with version 0 (only the payment has been heard of) are shown to nobody: every reader says `version > 0`.
CREATE TABLE order_summaries (
    order_id uuid PRIMARY KEY,
    tenant_id text NOT NULL,
    customer_id uuid NOT NULL,
    customer_name text NOT NULL,
    status text NOT NULL,
    cancel_reason text,
    payment_status text NOT NULL,
    authorised_amount bigint NOT NULL,
    captured_amount bigint NOT NULL,
    refunded_amount bigint NOT NULL,
    total_amount bigint NOT NULL,
    currency text NOT NULL,
    line_count integer NOT NULL,
    item_count bigint NOT NULL,
    shipped_count bigint NOT NULL,
    first_line text NOT NULL,
    placed_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    shipped_at timestamptz,
    delivered_at timestamptz,
    search_text text NOT NULL,
    search tsvector GENERATED ALWAYS AS (array_to_tsvector(string_to_array(search_text, ' '))) STORED,
    version bigint NOT NULL,
    position bigint NOT NULL
) WITH (fillfactor = 85);
CREATE INDEX order_summaries_placed_idx ON order_summaries (tenant_id, placed_at, order_id);
CREATE INDEX order_summaries_updated_idx ON order_summaries (tenant_id, updated_at, order_id);
CREATE INDEX order_summaries_total_idx ON order_summaries (tenant_id, total_amount, order_id);
CREATE INDEX order_summaries_status_idx ON order_summaries (tenant_id, status, placed_at, order_id);
CREATE INDEX order_summaries_payment_idx ON order_summaries (tenant_id, payment_status, placed_at, order_id);
CREATE INDEX order_summaries_customer_idx ON order_summaries (tenant_id, customer_id, placed_at, order_id);
CREATE INDEX order_summaries_search_idx ON order_summaries USING gin (search);

CREATE TABLE order_details (
    order_id uuid PRIMARY KEY,
    tenant_id text NOT NULL,
    customer_id uuid NOT NULL,
    contact jsonb,
    locale text NOT NULL,
    status text NOT NULL,
    cancel_reason text,
    lines jsonb NOT NULL,
    total_amount bigint NOT NULL,
    currency text NOT NULL,
    payment jsonb NOT NULL,
    shipments jsonb NOT NULL,
    placed_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    cancelled_at timestamptz,
    delivered_at timestamptz,
    completed_at timestamptz,
    updated_at timestamptz NOT NULL,
    version bigint NOT NULL,
    position bigint NOT NULL
) WITH (fillfactor = 85);

CREATE TABLE order_timeline (
    order_id uuid NOT NULL,
    event_id uuid NOT NULL,
    tenant_id text NOT NULL,
    kind text NOT NULL,
    category text NOT NULL,
    version bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    actor text NOT NULL,
    correlation_id uuid NOT NULL,
    causation_id uuid NOT NULL,
    facts jsonb NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (order_id, event_id)
);
CREATE INDEX order_timeline_position_idx ON order_timeline (order_id, position);

CREATE TABLE stock_levels (
    tenant_id text NOT NULL,
    sku text NOT NULL,
    on_hand bigint NOT NULL,
    reserved bigint NOT NULL,
    available bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    version bigint NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (tenant_id, sku)
) WITH (fillfactor = 70);
CREATE INDEX stock_levels_available_idx ON stock_levels (tenant_id, available, sku);

CREATE TABLE products (
    tenant_id text NOT NULL,
    sku text NOT NULL,
    name text NOT NULL,
    description text,
    price jsonb NOT NULL,
    status text NOT NULL,
    listed_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version bigint NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (tenant_id, sku)
);
CREATE INDEX products_status_idx ON products (tenant_id, status, sku);

CREATE TABLE sales_hours (
    tenant_id text NOT NULL,
    hour timestamptz NOT NULL,
    currency text NOT NULL,
    orders bigint NOT NULL,
    items bigint NOT NULL,
    revenue bigint NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (tenant_id, hour, currency)
) WITH (fillfactor = 70);

CREATE TABLE sales_products (
    tenant_id text NOT NULL,
    day date NOT NULL,
    sku text NOT NULL,
    currency text NOT NULL,
    orders bigint NOT NULL,
    quantity bigint NOT NULL,
    revenue bigint NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (tenant_id, day, sku, currency)
) WITH (fillfactor = 70);

-- Filters on tenant and customer reach the index through both groupings.
CREATE VIEW customer_histories AS
SELECT tenant_id, customer_id,
    sum(orders)::bigint AS orders,
    sum(open_orders)::bigint AS open_orders,
    sum(delivered_orders)::bigint AS delivered_orders,
    sum(cancelled_orders)::bigint AS cancelled_orders,
    jsonb_agg(jsonb_build_object('amount', spent, 'currency', currency) ORDER BY currency) AS spent,
    min(first_placed_at) AS first_placed_at,
    max(last_placed_at) AS last_placed_at,
    max(position) AS position
FROM (
    SELECT tenant_id, customer_id, currency,
        count(*) AS orders,
        count(*) FILTER (WHERE status IN ('placed', 'confirmed', 'partly_shipped', 'shipped')) AS open_orders,
        count(*) FILTER (WHERE status IN ('delivered', 'completed')) AS delivered_orders,
        count(*) FILTER (WHERE status = 'cancelled') AS cancelled_orders,
        sum(captured_amount - refunded_amount)::bigint AS spent,
        min(placed_at) AS first_placed_at,
        max(placed_at) AS last_placed_at,
        max(position) AS position
    FROM order_summaries
    WHERE version > 0
    GROUP BY tenant_id, customer_id, currency
) AS per_currency
GROUP BY tenant_id, customer_id;

-- What the process managers publish about their own table.
CREATE VIEW process_board AS
SELECT process, process_id AS order_id, tenant_id, phase, waiting_for, deadline_at, started_at, updated_at, ended_at,
    ended_at IS NULL AND deadline_at IS NOT NULL AND deadline_at < now() AS overdue
FROM processes;
"""

DOWN = """
DROP VIEW process_board, customer_histories;
DROP TABLE sales_products, sales_hours, products, stock_levels, order_timeline, order_details, order_summaries;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
