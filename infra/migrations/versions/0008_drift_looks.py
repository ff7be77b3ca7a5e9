"""What the last look for drift found in each projection."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

UP = """
-- One row per projection, of its last look. A figure for people: nothing depends on it.
CREATE TABLE drift_looks (
    projection text PRIMARY KEY,
    looked_at timestamptz NOT NULL DEFAULT now(),
    streams bigint NOT NULL,
    rows bigint NOT NULL,
    differing bigint NOT NULL
);
"""

DOWN = "DROP TABLE drift_looks"


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
