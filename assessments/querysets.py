"""Filters of the work that read as phrases. `visible_to(user)` narrows everything that hangs on places."""

from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import F, Q
from django.db.models.expressions import RawSQL

from assessments.enums import IN_REVIEW, STATUS_AT_KOBO, FocusGroupStatus, PushState
from locations.permissions import has_desk
from locations.querysets import AnyUser, Scope, ScopedQuerySet, paths_under, scope_of
from training.querysets import of_person

if TYPE_CHECKING:
    from assessments import models  # noqa: F401


# The first half of the advisory lock's key that a sync holds while it runs; the second is the form's.
SYNC_LOCK = 0x4B6F626F
_HELD = """
    SELECT objid::bigint FROM pg_locks
    WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class RoundTargetQuerySet(ScopedQuerySet["models.RoundTarget"]):
    unit_path = "unit__path"


class FocusGroupQuerySet(ScopedQuerySet["models.FocusGroupSession"]):
    unit_path = "target__unit__path"

    def own_rows(self, user: AnyUser, scope: Scope) -> Q:
        return Q(assignments__withdrawn_at=None) & of_person(user, scope, login="assignments__enumerator__user")

    def visible_to(self, user: AnyUser) -> "FocusGroupQuerySet":
        # By key: the join over assignments must not list a focus group twice.
        return self.filter(pk__in=super().visible_to(user).values("pk"))

    def coming(self, now: datetime) -> "FocusGroupQuerySet":
        return self.filter(Q(starts_at=None) | Q(ends_at__gte=now), status=FocusGroupStatus.PLANNED)


class SessionAssignmentQuerySet(ScopedQuerySet["models.SessionAssignment"]):
    unit_path = "focus_group__target__unit__path"

    def own_rows(self, user: AnyUser, scope: Scope) -> Q:
        return of_person(user, scope, login="enumerator__user")

    def active(self) -> "SessionAssignmentQuerySet":
        return self.filter(withdrawn_at=None)


class RoundQuerySet(ScopedQuerySet["models.AssessmentRound"]):
    """Rounds are the mission's: whoever has a desk sees them all; an enumerator those that they work in."""

    unit_path = "targets__unit__path"

    def visible_to(self, user: AnyUser) -> "RoundQuerySet":
        if has_desk(user):
            return self
        login = "targets__focus_groups__assignments__enumerator__user"
        own = Q(targets__focus_groups__assignments__withdrawn_at=None) & of_person(user, scope_of(user), login=login)
        return self.filter(pk__in=self.model._default_manager.filter(own).values("pk"))


class KoboFormQuerySet(ScopedQuerySet["models.KoboForm"]):
    """Connections are the mission's as well: read by whoever has a desk."""

    def visible_to(self, user: AnyUser) -> "KoboFormQuerySet":
        return self if has_desk(user) else self.none()

    def due(self, now: datetime) -> "KoboFormQuerySet":
        return self.filter(Q(next_sync_at=None) | Q(next_sync_at__lte=now), is_active=True)

    def being_synced(self) -> "KoboFormQuerySet":
        """A worker is on it at this moment. A run that says "running" of another form has lost its worker."""
        return self.filter(pk__in=RawSQL(_HELD, [SYNC_LOCK]))  # noqa: S611  a fixed text


class KoboSubmissionQuerySet(ScopedQuerySet["models.KoboSubmission"]):
    """A row whose place is not known yet is seen by the coordinator of the person who sent it."""

    unit_path = "unit__path"

    def own_rows(self, user: AnyUser, scope: Scope) -> Q:
        nowhere_yet = Q(unit=None) & paths_under(scope.paths, field="enumerator__home_unit__path")
        return of_person(user, scope, login="enumerator__user") | nowhere_yet

    def present(self) -> "KoboSubmissionQuerySet":
        """Not deleted at Kobo."""
        return self.filter(deleted_at=None)

    def counted(self) -> "KoboSubmissionQuerySet":
        """What may ever count: there, not a trial of a training day, readable. What is approved counts by the content
        that was: an edit that cannot be read waits for somebody's decision, like any other.
        """
        return self.filter(Q(is_refused=False) | Q(approved_revision__isnull=False), deleted_at=None, is_trial=False)

    def awaiting_review(self) -> "KoboSubmissionQuerySet":
        return self.counted().filter(review_status__in=IN_REVIEW)

    def proposed(self) -> "KoboSubmissionQuerySet":
        """With a status that somebody else set at Kobo, that says another thing than ours, and that no reviewer has
        decided about yet. The same rule for one row: `selectors.kobo_status.proposal_for`.
        """
        open_still = Q(kobo_status_settled_at=None) | Q(kobo_status_settled_at__lt=F("kobo_status_at"))
        same = Q(pk__in=[])
        for review_status, uid in STATUS_AT_KOBO.items():
            same |= Q(review_status=review_status, kobo_status=uid)
        own = Q(kobo_status_by=F("server__username"))
        return self.present().filter(open_still & ~same & ~own & ~Q(kobo_status=""))


class AttachmentQuerySet(ScopedQuerySet["models.SubmissionAttachment"]):
    """Seen by whoever sees the submission."""

    unit_path = "submission__unit__path"

    def own_rows(self, user: AnyUser, scope: Scope) -> Q:
        nowhere_yet = Q(submission__unit=None) & paths_under(
            scope.paths, field="submission__enumerator__home_unit__path"
        )
        return of_person(user, scope, login="submission__enumerator__user") | nowhere_yet

    def there(self) -> "AttachmentQuerySet":
        """Listed at Kobo still."""
        return self.filter(gone_at=None)


class StatusPushQuerySet(ScopedQuerySet["models.StatusPush"]):
    """Seen by whoever sees the submission on the desk."""

    unit_path = "submission__unit__path"

    def own_rows(self, user: AnyUser, scope: Scope) -> Q:
        return Q(submission__unit=None) & paths_under(scope.paths, field="submission__enumerator__home_unit__path")

    def open(self) -> "StatusPushQuerySet":
        """Not at Kobo yet, and still what is to get there."""
        return self.filter(state__in=(PushState.PENDING, PushState.FAILED))

    def due(self, now: datetime) -> "StatusPushQuerySet":
        return self.filter(state=PushState.PENDING, next_try_at__lte=now, submission__form__write_back=True)
