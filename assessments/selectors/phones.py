"""What a person's phone tells: the last form, with which version of it, whether its clock is right, how many phones."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from assessments.models import KoboFormVersion, KoboSubmission, QualityFlag
from assessments.querysets import KoboSubmissionQuerySet
from locations.querysets import AnyUser
from training.models import Enumerator


@dataclass(frozen=True, slots=True)
class Phone:
    """Of one person. ``version``: of the last form; ``clock``: the largest error that was seen, in minutes, and how the
    clock was wrong ("ahead", "behind", "backwards"; "": it looks right). ``phones``: how many devices; 0: not told.
    """

    person: Enumerator
    last: KoboSubmission
    version: KoboFormVersion | None
    is_outdated: bool
    clock: str
    minutes: int
    phones: int
    forms: int
    trials: int
    uncertified: int
    outdated: int

    @property
    def version_words(self) -> str:
        """By the day on which it was deployed; a uid tells nobody anything."""
        if self.version is None:
            return _("not told")
        if self.version.deployed_at is None:
            return self.version.uid
        day = timezone.localtime(self.version.deployed_at).date()
        return _("of %(day)s") % {"day": date_format(day, "SHORT_DATE_FORMAT")}

    @property
    def clock_words(self) -> str:
        if not self.clock:
            return _("right, as far as it shows")
        words = {
            "ahead": _("%(time)s ahead"),
            "behind": _("%(time)s behind"),
            "backwards": _("turned back by %(time)s"),
        }
        return words.get(self.clock, "%(time)s") % {"time": _duration(self.minutes)}


def phones_of(user: AnyUser, *, round_id: int | None = None) -> list[Phone]:
    """Of everybody in reach who sent a form, whose last form is the oldest first. Five queries, whatever the number."""
    rows: KoboSubmissionQuerySet = KoboSubmission.objects.visible_to(user).present().filter(enumerator__isnull=False)
    return _phones(rows if round_id is None else rows.filter(form__round=round_id))


def phone_of(person: Enumerator) -> Phone | None:
    """None: nothing came from the person yet."""
    return next(iter(_phones(KoboSubmission.objects.present().filter(enumerator=person))), None)


def _phones(rows: KoboSubmissionQuerySet) -> list[Phone]:
    last = rows.filter(submitted_at__isnull=False).order_by("enumerator_id", "-submitted_at", "-kobo_id")
    last = last.distinct("enumerator_id").select_related(
        "enumerator", "unit", "form__form_kind", "current_revision__form_version"
    )
    newest = list(last.defer("current_revision__raw", "current_revision__form_version__content", "form__mapping"))
    counts = {one["enumerator"]: one for one in _count(rows)}
    flags, clocks = _flags(rows)
    successors = _outdated_versions(newest)
    return sorted(
        (_phone(one, counts[one.enumerator_id], flags, clocks, successors) for one in newest),
        key=lambda phone: (phone.last.submitted_at, phone.person.pk),
    )


def _phone(
    last: KoboSubmission,
    counts: dict[str, Any],
    flags: dict[tuple[int, str], int],
    clocks: dict[int, tuple[int, str]],
    outdated: set[int],
) -> Phone:
    revision, person = last.current_revision, last.enumerator
    assert person is not None  # noqa: S101  asked for
    version = revision.form_version if revision else None
    minutes, how = clocks.get(person.pk, (0, ""))
    return Phone(
        person=person,
        last=last,
        version=version,
        is_outdated=version is not None and version.pk in outdated,
        clock=how,
        minutes=minutes,
        phones=counts["phones"],
        forms=counts["forms"],
        trials=counts["trials"],
        uncertified=flags.get((person.pk, "not_certified"), 0),
        outdated=flags.get((person.pk, "outdated_version"), 0),
    )


def _count(rows: KoboSubmissionQuerySet) -> list[dict[str, Any]]:
    counted: Any = rows.order_by().values("enumerator")
    return list(
        counted.annotate(
            forms=Count("pk"),
            trials=Count("pk", filter=Q(is_trial=True)),
            phones=Count("device_id", distinct=True, filter=~Q(device_id="")),
        )
    )


def _flags(rows: KoboSubmissionQuerySet) -> tuple[dict[tuple[int, str], int], dict[int, tuple[int, str]]]:
    """By person and check how many forms have the flag; by person the largest error of the clock."""
    counts: dict[tuple[int, str], int] = {}
    clocks: dict[int, tuple[int, str]] = {}
    found = QualityFlag.objects.filter(check_code__in=("not_certified", "outdated_version", "clock_wrong"))
    found = found.filter(revision__in=rows.order_by().values("current_revision")).order_by()
    for person, code, params in found.values_list("revision__submission__enumerator", "check_code", "params"):
        counts[person, code] = counts.get((person, code), 0) + 1
        if code == "clock_wrong":
            worst = (int(params.get("minutes", 0)), str(params.get("how", "")))
            clocks[person] = max(worst, clocks.get(person, (0, "")))
    return counts, clocks


def _outdated_versions(newest: list[KoboSubmission]) -> set[int]:
    """Of the versions of these forms, those that are no longer the right one today."""
    today, deployed = timezone.localdate(), dict[int, datetime]()
    forms = {one.form_id for one in newest}
    versions = KoboFormVersion.objects.filter(form__in=forms).order_by()
    facts = list(versions.values_list("pk", "form", "deployed_at", "last_accepted_on"))
    for _pk, form, at, _day in facts:
        if at is not None:
            deployed[form] = max(at, deployed.get(form, at))
    return {pk for pk, form, at, day in facts if _is_outdated(at, day, deployed.get(form), today)}


def _is_outdated(at: datetime | None, last_day: date | None, newest: datetime | None, today: date) -> bool:
    """As an administrator says by day; where nobody does, what another was deployed after."""
    if last_day is not None:
        return last_day < today
    return at is not None and newest is not None and newest > at


def _duration(minutes: int) -> str:
    """In the largest unit that says it."""
    if minutes >= 48 * 60:
        return ngettext("%(count)s day", "%(count)s days", minutes // 1440) % {"count": minutes // 1440}
    if minutes >= 120:
        return ngettext("%(count)s hour", "%(count)s hours", minutes // 60) % {"count": minutes // 60}
    return ngettext("%(count)s minute", "%(count)s minutes", minutes) % {"count": minutes}
