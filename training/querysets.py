"""Filters of the roster that read as phrases."""

from datetime import date
from typing import TYPE_CHECKING, Self, TypeVar

from django.db.models import Model, Q

from locations.enums import Role
from locations.querysets import NO_ROW, AnyUser, Scope, ScopedQuerySet

if TYPE_CHECKING:
    from training import models  # noqa: F401

PersonRow = TypeVar("PersonRow", bound=Model)


def of_person(user: AnyUser, scope: Scope, *, login: str) -> Q:
    """Rows of the enumerator that the user is; ``login`` leads from the row to the login. Without that role: none."""
    return Q(**{login: user}) if Role.ENUMERATOR in scope.roles else NO_ROW


class EnumeratorQuerySet(ScopedQuerySet["models.Enumerator"]):
    unit_path = "home_unit__path"

    def own_rows(self, user: AnyUser, scope: Scope) -> Q:
        return of_person(user, scope, login="user")

    def active(self) -> "EnumeratorQuerySet":
        return self.filter(status="active")


class OfPersonQuerySet(ScopedQuerySet[PersonRow]):
    """Rows that belong to one person of the roster, and with the person to the home unit."""

    unit_path = "enumerator__home_unit__path"

    def own_rows(self, user: AnyUser, scope: Scope) -> Q:
        return of_person(user, scope, login="enumerator__user")


class EnumeratorIdentityQuerySet(OfPersonQuerySet["models.EnumeratorIdentity"]):
    def on(self, day: date) -> Self:
        """In use on that day. A missing date does not limit."""
        return self.filter(Q(valid_from=None) | Q(valid_from__lte=day), Q(valid_to=None) | Q(valid_to__gte=day))


class AbsenceQuerySet(OfPersonQuerySet["models.Absence"]):
    def on(self, day: date) -> Self:
        return self.filter(first_day__lte=day, last_day__gte=day)


class TeamQuerySet(ScopedQuerySet["models.Team"]):
    unit_path = "unit__path"

    def own_rows(self, user: AnyUser, scope: Scope) -> Q:
        """One's own team is read, too, wherever it works."""
        return Q(pk__in=self.model._base_manager.filter(of_person(user, scope, login="memberships__enumerator__user")))


class TeamMembershipQuerySet(OfPersonQuerySet["models.TeamMembership"]):
    def on(self, day: date) -> Self:
        return self.filter(Q(valid_to=None) | Q(valid_to__gte=day), valid_from__lte=day)


class EnrolmentQuerySet(OfPersonQuerySet["models.Enrolment"]):
    pass


class TestAttemptQuerySet(OfPersonQuerySet["models.TestAttempt"]):
    __test__ = False  # not for pytest


class CorrectiveTaskQuerySet(OfPersonQuerySet["models.CorrectiveTask"]):
    def open(self) -> Self:
        return self.filter(status="open")


class CertificateQuerySet(OfPersonQuerySet["models.Certificate"]):
    def valid_on(self, day: date) -> Self:
        """Issued by that day, not yet expired, not revoked by then. The day of expiry is the last good one."""
        return self.filter(
            Q(expires_on=None) | Q(expires_on__gte=day), Q(revoked_on=None) | Q(revoked_on__gt=day), issued_on__lte=day
        )


class TrainingSessionQuerySet(ScopedQuerySet["models.TrainingSession"]):
    """Training sessions hang on people, not on places: a coordinator sees those that own people are enrolled in,
    and their own.
    """

    unit_path = "enrolments__enumerator__home_unit__path"

    def own_rows(self, user: AnyUser, scope: Scope) -> Q:
        return of_person(user, scope, login="enrolments__enumerator__user")

    def visible_to(self, user: AnyUser) -> "TrainingSessionQuerySet":
        return self.filter(pk__in=super().visible_to(user).values("pk"))
