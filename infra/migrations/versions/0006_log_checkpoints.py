"""What was signed of the log, with the hashes it was made of, so that a change can be placed and an event be proved."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

UP = """
-- One row per signed checkpoint. `positions` and `leaves` (32 bytes each, in order) are of the events since the one
-- before; `frontier` is what the tree of `size` leaves grows on. None of it is believed: the note is signed, and the
-- rest has to lead to its root. The key is not in the database.
CREATE TABLE log_checkpoints (
    size bigint PRIMARY KEY,
    position bigint NOT NULL UNIQUE,
    note text NOT NULL,
    frontier bytea NOT NULL,
    positions int8multirange NOT NULL,
    leaves bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE log_checkpoints ALTER COLUMN leaves SET STORAGE EXTERNAL;
CREATE FUNCTION log_checkpoints_stay() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'log_checkpoints is only ever added to'; END $$;
CREATE TRIGGER log_checkpoints_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON log_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION log_checkpoints_stay();
"""

DOWN = """
DROP TABLE log_checkpoints;
DROP FUNCTION log_checkpoints_stay;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
