"""Plan against done: every target in exactly one bucket, computed in one place and asked by everybody."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Value, When
from django.db.models.fields import CharField
from django.utils import timezone

from assessments.enums import IN_REVIEW, Bucket, FocusGroupStatus, ReviewStatus, TargetStatus
from assessments.models import (
    AssessmentRound,
    FocusGroupSession,
    KoboSubmission,
    RoundRegion,
    RoundTarget,
    SessionAssignment,
)
from assessments.querysets import RoundTargetQuerySet
from dtm_ops.common.rounding import share
from locations.models import AdminUnit
from locations.querysets import AnyUser


@dataclass(frozen=True, slots=True)
class RegionCoverage:
    """One region of a round. ``buckets`` has every bucket, in the order of `Bucket`, also those with nothing."""

    unit: AdminUnit
    planned: int
    buckets: Mapping[str, int]
    remark: str = ""

    @property
    def covered(self) -> int:
        return self.buckets[Bucket.COVERED]

    @property
    def share(self) -> str | None:
        """Percent covered with one decimal, or None where nothing is planned."""
        return share(self.covered, self.planned)


@dataclass(frozen=True, slots=True)
class Coverage:
    """A round's plan against what is done, whole and by region. The regions' plans add up to the round's."""

    round: AssessmentRound
    planned: int
    buckets: Mapping[str, int]
    regions: tuple[RegionCoverage, ...]

    @property
    def covered(self) -> int:
        return self.buckets[Bucket.COVERED]

    @property
    def share(self) -> str | None:
        return share(self.covered, self.planned)


def with_bucket(targets: QuerySet[RoundTarget], *, now: datetime | None = None) -> QuerySet[Any]:
    """The targets, each with its ``bucket``: the first that fits, in the order of `Bucket`.

    Trials, deleted and unreadable submissions cover nothing; a target with only rejected forms falls to the later
    buckets. A date or an overdue focus group counts only with somebody assigned: without, the place is "not
    assigned".
    """
    now = now or timezone.now()
    forms = KoboSubmission.objects.counted().filter(target=OuterRef("pk"))
    groups = FocusGroupSession.objects.filter(target=OuterRef("pk"))
    manned = SessionAssignment.objects.active().filter(
        focus_group__target=OuterRef("pk"), focus_group__status=FocusGroupStatus.PLANNED
    )
    closed_to_us = Q(status=TargetStatus.INACCESSIBLE) & (
        Q(status_until=None) | Q(status_until__gte=timezone.localtime(now).date())
    )
    tests: list[tuple[Bucket, Q | Exists]] = [
        (Bucket.COVERED, Exists(forms.filter(review_status=ReviewStatus.APPROVED))),
        (Bucket.IN_REVIEW, Exists(forms.filter(review_status__in=IN_REVIEW))),
        (Bucket.RETURNED, Exists(forms.filter(review_status=ReviewStatus.RETURNED))),
        (Bucket.HELD_NO_FORM, Exists(groups.filter(status=FocusGroupStatus.HELD))),
        (Bucket.EXCLUDED, Q(status=TargetStatus.EXCLUDED)),
        (Bucket.INACCESSIBLE, closed_to_us),
        (Bucket.SHORTFALL, Q(status=TargetStatus.SHORTFALL)),
        (Bucket.OVERDUE, Exists(manned.filter(focus_group__ends_at__lt=now))),
        (Bucket.SCHEDULED, Exists(manned.filter(focus_group__ends_at__gte=now))),
        (Bucket.ASSIGNED_NO_DATE, Exists(manned.filter(focus_group__starts_at=None))),
    ]
    whens = [When(test, then=Value(bucket.value)) for bucket, test in tests]
    return targets.annotate(
        bucket=Case(*whens, default=Value(Bucket.UNASSIGNED.value), output_field=CharField(max_length=20))
    )


def coverage(
    assessment_round: AssessmentRound, *, user: AnyUser | None = None, now: datetime | None = None
) -> Coverage:
    """The round's coverage, of the targets that ``user`` may see; all of them for None (commands, frozen figures).

    Regions are those that the round names and those that its targets lie in, by code. Two queries and the names.
    """
    targets: RoundTargetQuerySet = assessment_round.targets.all()
    if user is not None:
        targets = targets.visible_to(user)
    by_region: dict[str, Counter[str]] = {}
    for path, bucket in with_bucket(targets, now=now).order_by().values_list("unit__path", "bucket"):
        by_region.setdefault(region_id(path), Counter())[bucket] += 1
    named = {row.unit.unit_id: row for row in _regions(assessment_round, user)}
    units = {row.unit.unit_id: row.unit for row in named.values()}
    units |= {unit.unit_id: unit for unit in AdminUnit.objects.filter(unit_id__in=by_region.keys() - units.keys())}
    regions = tuple(
        RegionCoverage(
            unit=unit,
            planned=by_region.get(key, Counter()).total(),
            buckets=_every_bucket(by_region.get(key, Counter())),
            remark=named[key].remark if key in named else "",
        )
        for key, unit in sorted(units.items(), key=lambda item: (item[1].code, item[0]))
    )
    whole = sum(by_region.values(), Counter())
    return Coverage(assessment_round, whole.total(), _every_bucket(whole), regions)


def targets_in_bucket(
    assessment_round: AssessmentRound,
    *,
    user: AnyUser | None = None,
    region: AdminUnit | None = None,
    bucket: str = "",
    now: datetime | None = None,
) -> QuerySet[Any]:
    """The rows behind a number of the coverage, with their places and form kinds."""
    targets: RoundTargetQuerySet = assessment_round.targets.select_related("unit__parent", "form_kind")
    if user is not None:
        targets = targets.visible_to(user)
    if region is not None:
        targets = targets.filter(unit__path__startswith=region.path)
    found = with_bucket(targets, now=now).order_by("unit__path", "form_kind__order")
    return found.filter(bucket=bucket) if bucket else found


def region_id(path: str) -> str:
    """``unit_id`` of the region (level 1) that a path lies in; of the country for the country itself."""
    parts = path.split("/")
    return parts[1] or parts[0]


def _regions(assessment_round: AssessmentRound, user: AnyUser | None) -> QuerySet[RoundRegion]:
    rows = RoundRegion.objects.filter(round=assessment_round).select_related("unit")
    return rows if user is None else rows.filter(unit__in=AdminUnit.objects.visible_to(user))


def _every_bucket(counts: Counter[str]) -> dict[str, int]:
    return {bucket.value: counts[bucket.value] for bucket in Bucket}
