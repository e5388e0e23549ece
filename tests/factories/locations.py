"""Places and rights. `AdminUnitFactory` makes a region of the one country unless told otherwise."""

import factory
from django.utils import timezone

from dtm_ops.accounts.models import User
from locations.models import AdminUnit, Boundary, UnitScope
from locations.permissions import forget_scope
from locations.services import follow_names
from tests.factories.accounts import UserFactory


class _FoundByName(factory.django.DjangoModelFactory):
    """As the gazetteer's services leave a place: with the spellings by which it is found."""

    class Meta:
        abstract = True

    @classmethod
    def _after_postgeneration(cls, instance: AdminUnit, create: bool, results: object = None) -> None:
        if create:
            follow_names([instance])


class CountryFactory(_FoundByName):
    class Meta:
        model = AdminUnit
        django_get_or_create = ["unit_id"]

    code = "000000000"
    unit_id = factory.SelfAttribute("code")
    level = 0
    unit_type = "country"
    names = factory.LazyAttribute(lambda unit: {"en": "Kazakhstan", "ru": "Казахстан", "kk": "Қазақстан"})


class AdminUnitFactory(_FoundByName):
    class Meta:
        model = AdminUnit

    code = factory.Sequence(lambda number: f"9{number:08}")
    unit_id = factory.SelfAttribute("code")
    parent = factory.SubFactory(CountryFactory)
    level = factory.LazyAttribute(lambda unit: unit.parent.level + 1)
    unit_type = factory.LazyAttribute(lambda unit: {1: "region", 2: "district"}.get(unit.level, "rural_okrug"))
    names = factory.LazyAttribute(lambda unit: {"en": f"Place {unit.code}"})


class BoundaryFactory(factory.django.DjangoModelFactory):
    """A square of one degree; ``west`` and ``south`` say where."""

    class Meta:
        model = Boundary

    unit = factory.SubFactory(AdminUnitFactory)
    west, south = 70.0, 50.0
    east = factory.LazyAttribute(lambda drawn: drawn.west + 1)
    north = factory.LazyAttribute(lambda drawn: drawn.south + 1)
    geometry = factory.LazyAttribute(
        lambda drawn: {
            "type": "Polygon",
            "coordinates": [
                [
                    [drawn.west, drawn.south],
                    [drawn.east, drawn.south],
                    [drawn.east, drawn.north],
                    [drawn.west, drawn.north],
                    [drawn.west, drawn.south],
                ]
            ],
        }
    )
    source = "Test survey"
    licence = "CC BY 4.0"
    imported_at = factory.LazyFunction(timezone.now)


class UnitScopeFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = UnitScope

    user = factory.SubFactory(UserFactory)
    unit = factory.SubFactory(CountryFactory)
    role = "coordinator"

    @classmethod
    def _after_postgeneration(cls, instance: UnitScope, create: bool, results: object = None) -> None:
        forget_scope(instance.user)


def user_with(role: str, *units: AdminUnit) -> User:
    """Somebody with that role for each of the places (for the country, if none is named)."""
    user = UserFactory()
    for unit in units or [CountryFactory()]:
        UnitScopeFactory(user=user, unit=unit, role=role)
    return user
