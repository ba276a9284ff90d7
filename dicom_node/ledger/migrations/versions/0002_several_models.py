"""several models read a study."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("association", sa.Column("called_ae", sa.String(length=16), server_default="", nullable=False))
    op.add_column("generation", sa.Column("waits_for", sa.Text(), nullable=True))
    op.add_column("executor", sa.Column("faults", sa.JSON(), nullable=True))
    op.create_table(
        "reading",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("generation_id", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(length=160), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=True),
        sa.Column("familiarity", sa.JSON(), nullable=True),
        sa.Column("literature", sa.JSON(), nullable=True),
        sa.Column("reason_code", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["generation_id"], ["generation.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("generation_id", "model", name="one_reading_per_model"),
    )
    op.execute(
        "INSERT INTO reading (generation_id, model, scores) "
        "SELECT id, model, scores FROM generation WHERE model IS NOT NULL"
    )
    # SQLite changes no constraint in place: the table is copied there.
    with op.batch_alter_table("result") as result:
        result.add_column(sa.Column("model", sa.String(length=160), server_default="", nullable=False))
        result.drop_constraint("one_result_per_kind", type_="unique")
        result.create_unique_constraint("one_result_per_model_and_kind", ["generation_id", "model", "kind"])
    op.execute(
        "UPDATE result SET model = "
        "COALESCE((SELECT generation.model FROM generation WHERE generation.id = result.generation_id), '')"
    )
    op.drop_column("generation", "scores")
    op.drop_column("generation", "model")
