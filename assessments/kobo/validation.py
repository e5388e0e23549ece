"""Writing validation statuses to Kobo, many at once. Pure: who decides what is not known here.

Kobo's bulk call has three traps (recordings 07): an unknown status answers 200 and erases what was there; one id that
is not in the project refuses the whole batch; the body needs a wrapper that Kobo's own API text leaves out.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote

from assessments.kobo.connection import KoboConnection
from assessments.kobo.errors import KoboError, KoboRejected, KoboUnavailable

# The same on every server; nobody can add one.
STATUSES = frozenset({"validation_status_approved", "validation_status_not_approved", "validation_status_on_hold"})
NONE = ""
MOST_AT_ONCE = 200

_COUNT = re.compile(r"^(\d+) submissions? ha")


class Fate(Enum):
    """``GONE``: not in the project (deleted, or hidden from this account). ``LATER``: the same call may succeed then.
    ``REFUSED``: a person must act.
    """

    SENT = "sent"
    GONE = "gone"
    LATER = "later"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row. ``error`` says why it is not sent; None for what is sent or gone."""

    fate: Fate
    error: KoboError | None = None


class _Stopped(Exception):
    """Nothing more is to be asked of this project now. With the outcome of the rows that were not asked about."""

    def __init__(self, for_the_rest: Outcome | None = None) -> None:
        super().__init__()
        self.for_the_rest = for_the_rest


def set_statuses(
    connection: KoboConnection, asset_uid: str, wanted: Mapping[int, str], *, most: int = MOST_AT_ONCE
) -> dict[int, Outcome]:
    """Give each row (by Kobo's ``_id``) its status; "" takes it away. At most ``most`` rows a call.

    Raises ValueError for a status that Kobo does not know, before anything is sent. Nothing else is raised. Missing
    from the answer are rows whose turn did not come, because the server was not to be had before; what concerns the
    whole project or the account is said of all of them.
    """
    if unknown := set(wanted.values()) - STATUSES - {NONE}:
        raise ValueError(f"no validation status of Kobo: {', '.join(sorted(map(repr, unknown)))}")
    outcomes: dict[int, Outcome] = {}
    try:
        for uid, ids in _group(wanted, most):
            _send(connection, asset_uid, uid, ids, outcomes)
    except _Stopped as stopped:
        if stopped.for_the_rest is not None:
            outcomes |= dict.fromkeys(wanted.keys() - outcomes.keys(), stopped.for_the_rest)
    return outcomes


def _group(wanted: Mapping[int, str], most: int) -> Iterator[tuple[str, list[int]]]:
    by_uid: dict[str, list[int]] = defaultdict(list)
    for kobo_id, uid in wanted.items():
        by_uid[uid].append(kobo_id)
    for uid, ids in by_uid.items():
        for start in range(0, len(ids), most):
            yield uid, ids[start : start + most]


def _send(
    connection: KoboConnection, asset_uid: str, uid: str, ids: Sequence[int], outcomes: dict[int, Outcome]
) -> None:
    """One call; where it cannot be for all of them, halves of it, down to single rows."""
    outcome = _try(connection, asset_uid, uid, ids, outcomes)
    if outcome is not None:
        outcomes.update(dict.fromkeys(ids, outcome))
        return
    middle = len(ids) // 2
    _send(connection, asset_uid, uid, ids[:middle], outcomes)
    _send(connection, asset_uid, uid, ids[middle:], outcomes)


def _try(
    connection: KoboConnection, asset_uid: str, uid: str, ids: Sequence[int], outcomes: dict[int, Outcome]
) -> Outcome | None:
    """What became of all of them alike; None: to be found out by halves."""
    try:
        updated = _ask(connection, asset_uid, uid, ids)
    except KoboUnavailable as error:
        outcomes.update(dict.fromkeys(ids, Outcome(Fate.LATER, error)))
        raise _Stopped from None
    except KoboRejected as error:
        if _is_about_ids(error):
            return Outcome(Fate.GONE) if len(ids) == 1 else None
        if error.code == "bad_request":  # about this call; everything else is about the project or the account
            return Outcome(Fate.REFUSED, error)
        raise _Stopped(Outcome(Fate.REFUSED, error)) from None
    if updated == len(ids):
        return Outcome(Fate.SENT)
    if updated is not None and len(ids) > 1:
        return None
    what = f"{updated} of {len(ids)} rows updated"
    return Outcome(Fate.LATER, KoboUnavailable("bad_answer", what=what, host=connection.host, asset_uid=asset_uid))


def _ask(connection: KoboConnection, asset_uid: str, uid: str, ids: Sequence[int]) -> int | None:
    """How many rows Kobo says that it changed; None: it does not say. Doing it twice does no harm."""
    answer = connection.send_object(
        "PATCH" if uid else "DELETE",
        f"/api/v2/assets/{quote(asset_uid, safe='')}/data/validation_statuses/",
        json_body={"payload": {"submission_ids": list(ids), "validation_status.uid": uid or None}},
        asset_uid=asset_uid,
    )
    found = _COUNT.match(str(answer.get("detail", "")))
    return int(found[1]) if found else None


def _is_about_ids(error: KoboRejected) -> bool:
    """Kobo has no code for it; the client asks for its English words."""
    return error.code == "bad_request" and "submission ids are invalid" in str(error.params.get("excerpt", ""))
