"""Misbehaviour on demand: what a client meets on a bad day, told by a test or by somebody who practises.

Faults are rows of the state, so another process can order them for a running server.
"""

import sqlite3

from assessments.kobo.practice.exchange import Response, as_json

KINDS = (
    "bad_gateway",
    "unavailable",
    "gateway_timeout",
    "too_many",
    "server_error",
    "cut",
    "html",
    "slow",
    "wrong_json",
)

_HTML = """<!DOCTYPE html>
<html><head><title>{title}</title></head>
<body><center><h1>{title}</h1></center><hr><center>nginx</center></body></html>
"""


def order(
    db: sqlite3.Connection, kind: str, *, times: int, skip: int, path: str, retry_after: int | None, seconds: float
) -> None:
    if kind not in KINDS:
        raise ValueError(f"unknown fault {kind!r}; one of {', '.join(KINDS)}")
    db.execute(
        "INSERT INTO fault (kind, remaining, skip, path, retry_after, seconds) VALUES (?, ?, ?, ?, ?, ?)",
        (kind, times, skip, path, retry_after, seconds),
    )


def clear(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM fault")


def take(db: sqlite3.Connection, path: str) -> sqlite3.Row | None:
    """Return the oldest fault that concerns this path and use it up once; the first ``skip`` requests go through."""
    for fault in db.execute("SELECT * FROM fault ORDER BY pk").fetchall():
        if fault["path"] not in path:
            continue
        if fault["skip"] > 0:
            db.execute("UPDATE fault SET skip = skip - 1 WHERE pk = ?", (fault["pk"],))
            return None
        db.execute("UPDATE fault SET remaining = remaining - 1 WHERE pk = ?", (fault["pk"],))
        db.execute("DELETE FROM fault WHERE remaining <= 0")
        found: sqlite3.Row = fault
        return found
    return None


def spoil(fault: sqlite3.Row, answer: Response) -> Response:
    """Turn a right answer into what the fault says. The request has been done: its answer is lost."""
    kind = fault["kind"]
    if kind == "cut":
        answer.cut_after = max(1, len(answer.body) // 2)
        return answer
    if kind == "slow":
        answer.drip_seconds = fault["seconds"] or 2.0
        return answer
    if kind == "wrong_json":
        return as_json({"unexpected": True})
    return refuse(fault)


def refuse(fault: sqlite3.Row) -> Response:
    kind = fault["kind"]
    headers = [("Retry-After", str(fault["retry_after"]))] if fault["retry_after"] is not None else []
    if kind == "too_many":
        return as_json({"detail": "Request was throttled."}, status=429, headers=headers)
    if kind == "server_error":
        return as_json({"error": "Server Error (500)"}, status=500)
    status, title = {
        "bad_gateway": (502, "502 Bad Gateway"),
        "unavailable": (503, "503 Service Temporarily Unavailable"),
        "gateway_timeout": (504, "504 Gateway Time-out"),
        "html": (200, "Log in"),
    }[kind]
    return Response(status, _HTML.format(title=title).encode(), "text/html", headers)


def is_refusal(fault: sqlite3.Row) -> bool:
    """Refusals come from a proxy before Kobo: nothing of the request is done."""
    return fault["kind"] not in {"cut", "slow", "wrong_json"}
