"""What people do with dead letters: who, what and why; and what a command said before it was edited."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE dead_letters ADD COLUMN original_body bytea;
CREATE TABLE dead_letter_actions (
    action_id bigserial PRIMARY KEY,
    dead_letter_id uuid NOT NULL,
    action text NOT NULL CHECK (action IN ('retried', 'edited', 'discarded')),
    actor text NOT NULL,
    acted_at timestamptz NOT NULL DEFAULT now(),
    reason text
);
CREATE INDEX dead_letter_actions_letter_idx ON dead_letter_actions (dead_letter_id);
"""

DOWN = """
DROP TABLE dead_letter_actions;
ALTER TABLE dead_letters DROP COLUMN original_body;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
