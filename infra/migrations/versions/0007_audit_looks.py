"""What auditors looked at: written before they see it, chained, and only ever added to."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UP = """
-- Nothing personal but what an auditor wrote into a reason. `hash` is over all the others (`schemas.looks`), `previous`
-- the hash of the look before of the same tenant.
CREATE TABLE audit_looks (
    tenant_id text NOT NULL,
    number bigint NOT NULL,
    look_id uuid NOT NULL UNIQUE,
    looked_at timestamptz NOT NULL,
    subject text NOT NULL,
    question text NOT NULL,
    parameters jsonb NOT NULL,
    outcome text NOT NULL,
    orders uuid[] NOT NULL,
    customers uuid[] NOT NULL,
    revealed boolean NOT NULL,
    reason text CHECK (reason IS NOT NULL OR NOT revealed),
    previous text NOT NULL,
    hash text NOT NULL,
    PRIMARY KEY (tenant_id, number)
);
CREATE INDEX audit_looks_orders_idx ON audit_looks USING gin (orders);
CREATE FUNCTION audit_looks_stay() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'audit_looks is only ever added to'; END $$;
CREATE TRIGGER audit_looks_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_looks
    FOR EACH STATEMENT EXECUTE FUNCTION audit_looks_stay();
"""

DOWN = """
DROP TABLE audit_looks;
DROP FUNCTION audit_looks_stay;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
