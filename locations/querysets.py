"""Which rows a user may see. Every queryset that hangs on places starts from `ScopedQuerySet`.

A user's scope is read through the user's own rows (``unit_scopes``), because models are built on this module.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Case, F, Func, IntegerField, Q, Value, When

from locations.enums import Role

if TYPE_CHECKING:
    from locations.models import AdminUnit, AdminUnitAlias, Boundary, UnitChange, UnitScope  # noqa: F401  names of the rows, for the type checker alone

Row = TypeVar("Row", bound=models.Model)
AnyUser = AbstractBaseUser | AnonymousUser
NO_ROW: Final = Q(pk__in=[])
_CACHE = "_unit_scope"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a user is, and where. ``paths`` are the subtrees of a coordinator; ``everywhere`` needs none.

    ``home_paths`` are those of an enumerator: names and codes of places are read there, and nobody's rows.
    """

    roles: frozenset[str] = frozenset()
    everywhere: bool = False
    paths: tuple[str, ...] = ()
    home_paths: tuple[str, ...] = ()

    def reaches(self, path: str) -> bool:
        return self.everywhere or any(path.startswith(own) for own in self.paths)

    def shows(self, path: str) -> bool:
        """Reached, or above a reached place: a coordinator sees where the own units lie."""
        return self.reaches(path) or any(own.startswith(path) for own in self.paths)

    @property
    def ancestor_ids(self) -> frozenset[str]:
        """``unit_id`` of everything above the own units."""
        return ids_above(self.paths)


NOTHING = Scope()


def scope_of(user: AnyUser) -> Scope:
    """Read once and kept on the user object, which lives for one request. `forget_scope` after a change of rights.

    A superuser is an administrator and not a manager. Nobody logged in, or switched off: nothing.
    """
    if not user.is_active or user.is_anonymous:
        return NOTHING
    kept: Scope | None = getattr(user, _CACHE, None)
    if kept is None:
        kept = _read_scope(user)
        setattr(user, _CACHE, kept)
    return kept


def has_desk(user: AnyUser) -> bool:
    """May open the admin and the desk's pages: any role but an enumerator's alone."""
    return bool(scope_of(user).roles - {Role.ENUMERATOR})


def forget_scope(user: AnyUser) -> None:
    if hasattr(user, _CACHE):
        delattr(user, _CACHE)


def _read_scope(user: Any) -> Scope:
    rows = list(user.unit_scopes.order_by().values_list("role", "unit__path"))
    roles = {role for role, _path in rows}
    if user.is_superuser:
        roles.add(Role.ADMINISTRATOR.value)
    return Scope(
        roles=frozenset(roles),
        everywhere=bool(roles & {Role.ADMINISTRATOR.value, Role.MANAGER.value}),
        paths=_outermost(path for role, path in rows if role == Role.COORDINATOR.value),
        home_paths=_outermost(path for role, path in rows if role == Role.ENUMERATOR.value),
    )


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    """Without those that lie inside another: a subtree is asked for once."""
    kept: list[str] = []
    for path in sorted(set(paths)):
        if not (kept and path.startswith(kept[-1])):
            kept.append(path)
    return tuple(kept)


class ScopedQuerySet(models.QuerySet[Row]):
    """Rows that belong to a place.

    ``unit_path`` says where the path of the row's place is found, from the row ("target__unit__path"). A subclass whose
    rows also belong to people overrides `own_rows`: what an enumerator sees without a coordinator's scope.
    """

    unit_path: ClassVar[str] = "unit__path"

    def visible_to(self, user: AnyUser) -> Self:
        """No scope: no rows. Chains with every other filter; never asks the database for more than the user's scope."""
        scope = scope_of(user)
        if scope.everywhere:
            return self
        return self.filter(paths_under(scope.paths, field=self.unit_path) | self.own_rows(user, scope))

    def own_rows(self, user: AnyUser, scope: Scope) -> Q:
        return NO_ROW


class AdminUnitQuerySet(models.QuerySet["AdminUnit"]):
    def units_on(self, day: date) -> Self:
        """In force on that day. A missing date does not limit; ``valid_to`` is the last day."""
        return self.filter(
            Q(valid_from=None) | Q(valid_from__lte=day),
            Q(valid_to=None) | Q(valid_to__gte=day),
        )

    def level(self, number: int) -> Self:
        return self.filter(level=number)

    def within(self, unit: "AdminUnit") -> Self:
        """The unit itself and everything below it, whatever its dates."""
        return self.filter(path__startswith=unit.path)

    def in_reach_of(self, user: AnyUser) -> Self:
        """Places whose rows the user works with: all, or the own subtrees."""
        scope = scope_of(user)
        return self if scope.everywhere else self.filter(paths_under(scope.paths, field="path"))

    def visible_to(self, user: AnyUser) -> Self:
        """In reach, and the places above: a coordinator sees where the own units lie."""
        scope = scope_of(user)
        if scope.everywhere:
            return self
        return self.filter(paths_under(scope.paths, field="path") | Q(unit_id__in=scope.ancestor_ids))

    def readable_by(self, user: AnyUser) -> Self:
        """As ``visible_to``, and the places of an enumerator's own scope with those above: read, never worked with."""
        scope = scope_of(user)
        if scope.everywhere:
            return self
        paths = (*scope.paths, *scope.home_paths)
        return self.filter(paths_under(paths, field="path") | Q(unit_id__in=ids_above(paths)))


class AdminUnitAliasQuerySet(ScopedQuerySet["AdminUnitAlias"]):
    """Spellings of the places that the user sees, the places above the own ones included."""

    def visible_to(self, user: AnyUser) -> Self:
        scope = scope_of(user)
        if scope.everywhere:
            return self
        return self.filter(paths_under(scope.paths, field=self.unit_path) | Q(unit__unit_id__in=scope.ancestor_ids))


class BoundaryQuerySet(ScopedQuerySet["Boundary"]):
    """Polygons of the places that the user sees, the places above the own ones included."""

    def visible_to(self, user: AnyUser) -> Self:
        scope = scope_of(user)
        if scope.everywhere:
            return self
        return self.filter(paths_under(scope.paths, field=self.unit_path) | Q(unit__unit_id__in=scope.ancestor_ids))

    def as_of(self, day: date) -> Self:
        """One polygon a place: the first that was drawn for the day or for a later one (now comes last), else the last
        before it, as the best there is.
        """
        days_away = Func(
            F("drawn_for"), Value(day), template="abs(%(expressions)s)", arg_joiner=" - ", output_field=IntegerField()
        )
        is_older = Case(When(drawn_for__lt=day, then=1), default=0, output_field=IntegerField())
        chosen = self.order_by("unit_id", is_older, days_away.asc(nulls_last=True)).distinct("unit_id")
        # From the start again: a query with `distinct` can be narrowed no further. The manager is made from this class.
        return self.model._default_manager.filter(pk__in=chosen.values("pk"))  # type: ignore[return-value]


class UnitChangeQuerySet(ScopedQuerySet["UnitChange"]):
    """Proposals about places within reach, by the place above (a new place has no other), and one's own."""

    unit_path = "parent__path"

    def own_rows(self, user: AnyUser, scope: Scope) -> Q:
        return Q(raised_by=user) if scope.roles else NO_ROW


class UnitScopeQuerySet(ScopedQuerySet["UnitScope"]):
    """Rights are rows of a place like others: a coordinator reads those of the own units."""


def ids_above(paths: Iterable[str]) -> frozenset[str]:
    """``unit_id`` of everything above the places with these paths."""
    return frozenset(unit_id for path in paths for unit_id in path.split("/")[:-2])


def paths_under(paths: Iterable[str], *, field: str) -> Q:
    """Rows whose place lies in one of the subtrees; no paths: no rows."""
    return reduce(or_, (Q(**{f"{field}__startswith": path}) for path in paths), NO_ROW)
