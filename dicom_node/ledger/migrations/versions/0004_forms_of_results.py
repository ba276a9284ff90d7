"""results have several forms, and destinations are probed."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # SQLite changes no constraint in place: the table is copied there.
    with op.batch_alter_table("result") as result:
        result.add_column(sa.Column("form", sa.String(length=32), server_default="", nullable=False))
        result.add_column(sa.Column("alternative_to", sa.String(length=64), server_default="", nullable=False))
        result.drop_constraint("one_result_per_model_and_kind", type_="unique")
        result.create_unique_constraint(
            "one_result_per_model_kind_and_form", ["generation_id", "model", "kind", "form"]
        )
    # Until now every report was a Comprehensive SR.
    op.execute("UPDATE result SET form = 'comprehensive' WHERE kind = 'report'")
    op.create_table(
        "probe",
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.Column("probed_at", sa.Float(), nullable=False),
        sa.Column("found", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("destination"),
    )
