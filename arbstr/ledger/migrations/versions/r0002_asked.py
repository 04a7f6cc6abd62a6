"""
What a request asks of routing, so that it can be replayed.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None

_COLUMNS: dict[str, TypeEngine[Any]] = {
    "output_cap": sa.BigInteger(),
    "wanted_provider": sa.String(),
    "wanted_complexity": sa.String(8),
    "max_cost_sats": sa.Double(),
}


def upgrade() -> None:
    """
    Add the columns.  Of older requests nobody knows any more what they asked.
    """
    for name, kind in _COLUMNS.items():
        op.add_column("requests", sa.Column(name, kind))


def downgrade() -> None:
    """
    Remove them.
    """
    with op.batch_alter_table("requests") as table:
        for name in _COLUMNS:
            table.drop_column(name)
