"""
Books with as many rows as months of use would leave.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine

from arbstr.ledger import migrations

SPREAD_DAYS = 29

# Every column of a row follows from its number, by remainders that have no
# pattern together: any machine makes the same rows.
_ROWS = """
INSERT INTO requests (
    request_id, timestamp, state, model, provider, policy, tier, streaming,
    input_tokens, cached_tokens, output_tokens, reasoning_tokens,
    tokens_estimated, choices, input_chars, cost_sats, provider_cost_sats,
    baseline_cost_sats, latency_ms, ttft_ms, stream_duration_ms, success,
    error_status, error_message, attempts, upstream_request_id
)
WITH RECURSIVE numbers(n) AS (
    SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :rows
), drawn AS (
    SELECT
        n,
        (n * 7919 + 13) % 10007 AS a,
        (n * 104729 + 7) % 99991 AS b,
        (n * 1299709 + 3) % 65537 AS c
    FROM numbers
), told AS (
    SELECT *, a % 100 >= 3 AS good, b % 10 < 6 AS streams, 20 + c % 4000 AS tokens_in,
        1 + (a * b) % 2000 AS tokens_out, 150 + (b * 3 + c) % 30000 AS took
    FROM drawn
)
SELECT
    printf('%08x-0000-4000-8000-%012x', n, b * 65537 + c),
    :last - (:rows - 1 - n) * :spread / :rows,
    'done',
    CASE WHEN a % 1000 = 0 THEN NULL ELSE 'model-' || (a % 8) END,
    CASE WHEN good THEN 'provider-' || (b % 6) END,
    CASE WHEN c % 3 = 0 THEN 'code' END,
    CASE b % 3 WHEN 0 THEN 'local' WHEN 1 THEN 'standard' ELSE 'frontier' END,
    streams,
    CASE WHEN good THEN tokens_in END, CASE WHEN good THEN tokens_in / 3 END,
    CASE WHEN good THEN tokens_out END, NULL,
    a % 20 = 0, 1, tokens_in * 4,
    CASE WHEN good THEN (tokens_in * 5000 + tokens_out * 15000) / 1000000.0 END,
    NULL,
    CASE WHEN good THEN (tokens_in * 10000 + tokens_out * 30000) / 1000000.0 END,
    took,
    CASE WHEN good AND streams THEN 50 + c % 3000 END,
    CASE WHEN good AND streams THEN took END,
    good,
    CASE WHEN NOT good THEN 502 END,
    CASE WHEN NOT good THEN 'No provider answered: provider-1: HTTP 500' END,
    json_array(json_object(
        'provider', 'provider-' || (b % 6), 'start_ms', 1, 'duration_ms', took,
        'outcome', CASE WHEN good THEN 'ok' ELSE '5xx' END, 'first_byte_ms', 50
    )),
    'chatcmpl-' || n
FROM told
"""


def fill(path: Path, rows: int) -> None:
    """
    Make a database of this version, with so many requests in the last
    L{SPREAD_DAYS} days.
    """
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as schema:
        migrations.upgrade(schema)
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA cache_size = -500000")
        connection.execute(
            _ROWS,
            {
                "rows": rows,
                "last": round(time.time() * 1000) - 60_000,
                "spread": SPREAD_DAYS * 24 * 3600 * 1000,
            },
        )
