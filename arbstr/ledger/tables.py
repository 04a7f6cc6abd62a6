"""
The schema of the books.

Sats are kept with nine decimals, in every row and in every sum: the last digit
is a billionth of a sat.  Times are milliseconds since the epoch, UTC: they sort
and group alike in every database.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Table,
)

SATS_DECIMALS = 9

# What `requests.state` may be.
IN_FLIGHT = "in_flight"
DONE = "done"
INTERRUPTED = "interrupted"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

requests = Table(
    "requests",
    metadata,
    # SQLite numbers rows by itself only where the key is an INTEGER.
    Column(
        "id",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("request_id", String(36), nullable=False, unique=True),
    Column("timestamp", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("model", String),
    Column("provider", String),
    Column("policy", String),
    Column("tier", String(16)),
    Column("complexity_score", Double),
    Column("streaming", Boolean, nullable=False),
    Column("input_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("tokens_estimated", Boolean, nullable=False),
    # How many answers were asked for, and how long the prompt was in
    # characters, for learning from.
    Column("choices", Integer, nullable=False),
    Column("input_chars", BigInteger),
    Column("cost_sats", Double),
    Column("provider_cost_sats", Double),
    Column("baseline_cost_sats", Double),
    Column("latency_ms", BigInteger),
    Column("ttft_ms", BigInteger),
    Column("stream_duration_ms", BigInteger),
    Column("success", Boolean, nullable=False),
    Column("error_status", Integer),
    Column("error_message", String),
    Column("attempts", JSON, nullable=False),
    Column("upstream_request_id", String),
    # What else the request asked of routing.
    Column("output_cap", BigInteger),
    Column("wanted_provider", String),
    Column("wanted_complexity", String(8)),
    Column("max_cost_sats", Double),
)

# One for every filter and every order that the reports offer.  The id makes
# each order a total one, so that pages neither overlap nor leave gaps.
for _columns in (
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
    Index(None, *(requests.c[name] for name in _columns))
