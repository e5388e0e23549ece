"""The two answers that other programs read (design, section 12): one shape for the commands and for the API."""

from collections.abc import Mapping
from typing import Any

from assessments.models import AssessmentRound
from assessments.selectors.coverage import Coverage, coverage, targets_in_bucket
from assessments.selectors.report import YEARS, Breakdown, Report, Row, report
from locations.querysets import AnyUser


def coverage_answer(assessment_round: AssessmentRound, *, user: AnyUser | None = None) -> dict[str, Any]:
    """``{"round", "planned", "buckets", "regions", "targets"}`` of the targets that ``user`` may see; all for None."""
    result: Coverage = coverage(assessment_round, user=user)
    rows = targets_in_bucket(assessment_round, user=user)
    return {
        "round": assessment_round.code,
        "planned": result.planned,
        "buckets": dict(result.buckets),
        "regions": [
            {
                "code": region.unit.code,
                "name": region.unit.name,
                "planned": region.planned,
                "buckets": dict(region.buckets),
            }
            for region in result.regions
        ],
        "targets": [
            {"unit_id": unit_id, "form_kind": kind, "bucket": bucket}
            for unit_id, kind, bucket in rows.values_list("unit__unit_id", "form_kind__code", "bucket")
        ],
    }


def report_answer(assessment_round: AssessmentRound, *, user: AnyUser | None = None) -> dict[str, Any]:
    """``{"round", "total", "by": {code: {"base", "rows"}}}``. Shares and growth are numbers with one decimal, or
    None; growth stands in the rows of the years of arrival alone.
    """
    result: Report = report(assessment_round, user=user)
    by: Mapping[str, Any] = {code: _breakdown(breakdown) for code, breakdown in result.by.items()}
    return {"round": assessment_round.code, "total": result.total, "by": by}


def _breakdown(breakdown: Breakdown) -> dict[str, Any]:
    rows = [_row(row, with_growth=breakdown.code == YEARS) for row in breakdown.rows]
    return {"base": breakdown.base, "rows": rows}


def _row(row: Row, *, with_growth: bool) -> dict[str, Any]:
    share = None if row.share is None else float(row.share)
    line = {"code": row.code, "name": row.name, "count": row.count, "share": share}
    if with_growth:
        line["growth"] = None if row.growth is None else float(row.growth)
    return line
