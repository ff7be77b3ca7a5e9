"""Keys of customers; the views keep what is personal sealed, and are filled again from the log."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_AGAIN = """
TRUNCATE order_summaries, order_details, order_timeline;
DELETE FROM subscription_versions WHERE subscription = 'order_views';
UPDATE subscription_positions SET position = 0 WHERE subscription = 'order_views';
"""
UP = f"""
-- Each is wrapped by a key that is not here. A destroyed one stays as a row, so that nobody takes it for lost.
CREATE TABLE vault_keys (
    key_id uuid PRIMARY KEY,
    tenant_id text NOT NULL,
    customer_id uuid NOT NULL,
    wrapped bytea CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL)),
    created_at timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz
);
CREATE UNIQUE INDEX vault_keys_customer_idx ON vault_keys (tenant_id, customer_id) WHERE destroyed_at IS NULL;
-- Certificates of what was checked when a customer was erased; they hold nothing personal.
CREATE TABLE erasures (
    erasure_id uuid PRIMARY KEY,
    tenant_id text NOT NULL,
    customer_id uuid NOT NULL,
    certificate jsonb NOT NULL,
    erased_at timestamptz NOT NULL DEFAULT now()
);
{_AGAIN}
ALTER TABLE order_summaries DROP COLUMN customer_name, ADD COLUMN sealed jsonb;
ALTER TABLE order_details DROP COLUMN contact, ADD COLUMN sealed jsonb;
"""

DOWN = f"""
{_AGAIN}
ALTER TABLE order_details DROP COLUMN sealed, ADD COLUMN contact jsonb;
ALTER TABLE order_summaries DROP COLUMN sealed, ADD COLUMN customer_name text NOT NULL;
DROP TABLE erasures, vault_keys;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
