"""A small listing of submissions to serve over real HTTP."""

import json
from collections.abc import Callable
from typing import Any

from werkzeug import Request, Response

TOKEN = "3f5c0a9e7b1d4e2f8a6c5b4d3e2f1a0b9c8d7e6f"
ASSET = "aWalkThroughTheSteppe0"
DATA_PATH = f"/api/v2/assets/{ASSET}/data/"


class Listing:
    """Answers the data listing for a keyset walk; `cap` is the server's own page limit, `faults` come first."""

    def __init__(self, ids: range, *, cap: int = 1000) -> None:
        self.ids = list(ids)
        self.cap = cap
        self.asked: list[dict[str, Any]] = []
        self.fault: Callable[[dict[str, Any]], Response | None] = lambda asked: None

    def __call__(self, request: Request) -> Response:
        condition = json.loads(request.args["query"])["_id"]
        asked = {"limit": int(request.args["limit"]), **condition}
        self.asked.append(asked)
        if (fault := self.fault(asked)) is not None:
            return fault
        found = [kobo_id for kobo_id in sorted(self.ids) if _matches(kobo_id, condition)]
        rows = [{"_id": kobo_id} for kobo_id in found[: min(self.cap, asked["limit"])]]
        return answer_json({"count": len(found), "next": None, "previous": None, "results": rows})


def _matches(kobo_id: int, condition: dict[str, Any]) -> bool:
    return (
        kobo_id > condition.get("$gt", -1)
        and kobo_id <= condition.get("$lte", kobo_id)
        and kobo_id in condition.get("$in", [kobo_id])
    )


def answer_json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status, headers, content_type="application/json")
