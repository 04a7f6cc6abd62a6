"""
The request log.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """
    Create the table and its indexes.
    """
    op.create_table(
        "requests",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("request_id", sa.String(36), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("model", sa.String()),
        sa.Column("provider", sa.String()),
        sa.Column("policy", sa.String()),
        sa.Column("tier", sa.String(16)),
        sa.Column("complexity_score", sa.Double()),
        sa.Column("streaming", sa.Boolean(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger()),
        sa.Column("cached_tokens", sa.BigInteger()),
        sa.Column("output_tokens", sa.BigInteger()),
        sa.Column("reasoning_tokens", sa.BigInteger()),
        sa.Column("tokens_estimated", sa.Boolean(), nullable=False),
        sa.Column("choices", sa.Integer(), nullable=False),
        sa.Column("input_chars", sa.BigInteger()),
        sa.Column("cost_sats", sa.Double()),
        sa.Column("provider_cost_sats", sa.Double()),
        sa.Column("baseline_cost_sats", sa.Double()),
        sa.Column("latency_ms", sa.BigInteger()),
        sa.Column("ttft_ms", sa.BigInteger()),
        sa.Column("stream_duration_ms", sa.BigInteger()),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("error_status", sa.Integer()),
        sa.Column("error_message", sa.String()),
        sa.Column("attempts", sa.JSON(), nullable=False),
        sa.Column("upstream_request_id", sa.String()),
        sa.PrimaryKeyConstraint("id", name="pk_requests"),
        sa.UniqueConstraint("request_id", name="uq_requests_request_id"),
    )
    for first, second in (
        ("timestamp", "id"),
        ("cost_sats", "id"),
        ("latency_ms", "id"),
        ("model", "timestamp"),
        ("provider", "timestamp"),
        ("policy", "timestamp"),
        ("tier", "timestamp"),
        ("success", "timestamp"),
        ("streaming", "timestamp"),
        ("state", "timestamp"),
    ):
        op.create_index(f"ix_requests_{first}_{second}", "requests", [first, second])


def downgrade() -> None:
    """
    Remove the table.
    """
    op.drop_table("requests")
