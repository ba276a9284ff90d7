"""Alembic's entry: migrates over the connection that `dicom_node.ledger.database.migrate` hands in."""

from alembic import context

from dicom_node.ledger.schema import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table="node_version"
)
with context.begin_transaction():
    context.run_migrations()
