"""
From one version of the schema to a later one, with Alembic.
"""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def run(connection: Connection, revision: str) -> None:
    """
    Run what has not been run yet, in the transaction that is open.

    @param revision: the last to run.
    """
    config = Config()
    config.set_main_option("script_location", "arbstr.ledger:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
