"""results have versions, and can be withdrawn."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("generation", sa.Column("cause", sa.String(length=16), server_default="images", nullable=False))
    op.add_column("generation", sa.Column("note", sa.Text(), nullable=True))
    op.add_column("generation", sa.Column("withdrawn_model", sa.String(length=160), server_default="", nullable=False))
    op.add_column("generation", sa.Column("made_with", sa.JSON(), nullable=True))
    op.add_column("result", sa.Column("withdrawn_by", sa.Integer(), nullable=True))
