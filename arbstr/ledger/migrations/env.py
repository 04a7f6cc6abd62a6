"""
What Alembic runs for every command: it works on the connection that it is
given, in the transaction that is open there.
"""

from __future__ import annotations

from alembic import context

from arbstr.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite can change a table only by copying it.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
