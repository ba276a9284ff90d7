"""Tables of the node: what arrived, what was sealed, what was made, where it was accepted.

Times are seconds since the epoch. `migrations/` holds the same tables step by step; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

metadata = MetaData()

association = Table(
    "association",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("receiver", String(64), nullable=False),
    Column("calling_ae", String(16), nullable=False),
    # Empty where a scan of the spool found the instances: who sent them is not known.
    Column("called_ae", String(16), nullable=False, server_default=""),
    Column("quiet_s", Float, nullable=False),
    Column("opened_at", Float, nullable=False),
    Column("released_at", Float),
)

instance = Table(
    "instance",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_uid", String(64), nullable=False),
    Column("series_uid", String(64), nullable=False),
    Column("sop_uid", String(64), nullable=False),
    Column("sop_class_uid", String(64), nullable=False),
    Column("transfer_syntax_uid", String(64), nullable=False),
    Column("modality", String(16), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("path", String(200), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("association_id", ForeignKey("association.id"), nullable=False),
    Column("stored_at", Float, nullable=False),
    Column("own", Boolean, nullable=False, server_default=false()),
    # Same SOP Instance UID as an earlier instance, other bytes: kept, shown, never read.
    Column("conflict", Boolean, nullable=False, server_default=false()),
    Column("generation_id", ForeignKey("generation.id")),
    UniqueConstraint("sop_uid", "sha256", name="one_row_per_content"),
    Index("instance_of_study", "study_uid"),
    Index("instance_unsealed", "generation_id", "study_uid"),
)

generation = Table(
    "generation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_uid", String(64), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("quiet_ended_at", Float, nullable=False),
    Column("sealed_at", Float, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("recorded_at", Float),
    # Why it is not read yet: a model that it needs cannot be used, or disk or database (`generations.NODE_FAULT`).
    Column("waits_for", Text),
    Column("reason_code", String(64)),
    Column("reason", Text),
    # Why there is this generation: images, rerun or withdrawal; and an operator's words about it.
    Column("cause", String(16), nullable=False, server_default="images"),
    Column("note", Text),
    # Of a withdrawal: the one model whose results are taken back; empty for all of the study.
    Column("withdrawn_model", String(160), nullable=False, server_default=""),
    # What a rebuild needs beside the instances: time, equipment, labels, the former results.
    Column("made_with", JSON),
    UniqueConstraint("study_uid", "number", name="one_generation_per_number"),
)

# What each model said of a generation, or why it said nothing.
reading = Table(
    "reading",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("generation_id", ForeignKey("generation.id"), nullable=False),
    Column("model", String(160), nullable=False),
    Column("scores", JSON),
    Column("familiarity", JSON),
    Column("literature", JSON),
    Column("reason_code", String(64)),
    Column("reason", Text),
    UniqueConstraint("generation_id", "model", name="one_reading_per_model"),
)

result = Table(
    "result",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("generation_id", ForeignKey("generation.id"), nullable=False),
    # Empty for what says that no model gave a result.
    Column("model", String(160), nullable=False, server_default=""),
    Column("kind", String(16), nullable=False),
    Column("uid", String(64), nullable=False),
    Column("media_type", String(64), nullable=False),
    Column("sop_class_uid", String(64), nullable=False),
    Column("transfer_syntax_uid", String(64), nullable=False),
    Column("path", String(200), nullable=False),
    Column("picture", String(200)),
    Column("sha256", String(64), nullable=False),
    # The generation that took it back: it is sent nowhere any more.
    Column("withdrawn_by", Integer),
    # Of several forms of one object a destination is sent one: keys of `structured_reports.forms`.
    Column("form", String(32), nullable=False, server_default=""),
    Column("alternative_to", String(64), nullable=False, server_default=""),
    UniqueConstraint("generation_id", "model", "kind", "form", name="one_result_per_model_kind_and_form"),
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("generation_id", ForeignKey("generation.id"), nullable=False),
    Column("destination", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    # Of the attempts that are queued only those of this chain count: `retry` begins a new one.
    Column("chain", String(32), nullable=False, server_default="first"),
    Column("error", Text),
    Column("next_at", Float),
    Column("accepted_at", Float),
    Column("proof", JSON),
    UniqueConstraint("generation_id", "destination", name="one_delivery_per_destination"),
)

# What a destination takes, as the last probe found it.
probe = Table(
    "probe",
    metadata,
    Column("destination", String(64), primary_key=True),
    Column("probed_at", Float, nullable=False),
    Column("found", JSON, nullable=False),
)

timing = Table(
    "timing",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("generation_id", ForeignKey("generation.id"), nullable=False),
    Column("stage", String(64), nullable=False),
    Column("started_at", Float, nullable=False),
    Column("seconds", Float, nullable=False),
    Index("timing_of_generation", "generation_id"),
)

executor = Table(
    "executor",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("seen_at", Float, nullable=False),
    # Models that it cannot use: name to fault.
    Column("faults", JSON),
)
