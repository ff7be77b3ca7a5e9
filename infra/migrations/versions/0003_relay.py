"""How far the relay is, and who runs it."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UP = """
-- One row. Whoever holds the lease publishes; `published` is, per category, the newest position on its topic.
CREATE TABLE relay_positions (
    relay text PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0,
    published jsonb NOT NULL DEFAULT '{}',
    owner text NOT NULL,
    lease_until timestamptz NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
-- When the relay published what it had parked and a person had it try again.
ALTER TABLE dead_letters ADD COLUMN published_at timestamptz;
"""

DOWN = """
ALTER TABLE dead_letters DROP COLUMN published_at;
DROP TABLE relay_positions;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
