"""The standing cast. Every test of a right has the wrong person beside the right one.

Almaty region and Mangystau, each with a district and a village. ``coordinator`` and ``enumerator`` belong to Almaty
region, ``other_coordinator`` to Mangystau; ``stranger`` has a login and no scope.
"""

from collections.abc import Callable
from datetime import date

import pytest

from assessments.services.vocabulary import load_vocabulary
from dtm_ops.accounts.models import User
from locations.models import AdminUnit, UnitScope
from tests.factories.locations import AdminUnitFactory, CountryFactory
from tests.factories.training import CertificateFactory, EnumeratorFactory
from training.models import Enumerator, FormKind


@pytest.fixture
def country(db: None) -> AdminUnit:
    return CountryFactory()


@pytest.fixture
def region(country: AdminUnit) -> AdminUnit:
    return AdminUnitFactory(code="190000000", parent=country, names={"en": "Almaty region"})


@pytest.fixture
def other_region(country: AdminUnit) -> AdminUnit:
    return AdminUnitFactory(code="470000000", parent=country, names={"en": "Mangystau region"})


@pytest.fixture
def district(region: AdminUnit) -> AdminUnit:
    return AdminUnitFactory(code="195200000", parent=region, names={"en": "Karasay"})


@pytest.fixture
def other_district(other_region: AdminUnit) -> AdminUnit:
    return AdminUnitFactory(code="473600000", parent=other_region, names={"en": "Beyneu"})


@pytest.fixture
def village(district: AdminUnit) -> AdminUnit:
    return AdminUnitFactory(code="195233000", parent=district, names={"en": "Zhandosov"})


@pytest.fixture
def other_village(other_district: AdminUnit) -> AdminUnit:
    return AdminUnitFactory(code="473630000", parent=other_district, names={"en": "Boranqul"})


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    """``make_user("name", role="manager", unit=country)``; without a role: no scope. The password is the name."""

    def make(name: str, *, role: str = "", unit: AdminUnit | None = None, language: str = "en") -> User:
        user = User.objects.create_user(name, password=name, language=language, is_staff=role not in ("", "enumerator"))
        if role:
            UnitScope.objects.create(user=user, unit=unit, role=role)
        return user

    return make


@pytest.fixture
def administrator(make_user: Callable[..., User], country: AdminUnit) -> User:
    return make_user("administrator", role="administrator", unit=country)


@pytest.fixture
def manager(make_user: Callable[..., User], country: AdminUnit) -> User:
    return make_user("manager", role="manager", unit=country)


@pytest.fixture
def coordinator(make_user: Callable[..., User], region: AdminUnit) -> User:
    return make_user("coordinator", role="coordinator", unit=region)


@pytest.fixture
def other_coordinator(make_user: Callable[..., User], other_region: AdminUnit) -> User:
    return make_user("other_coordinator", role="coordinator", unit=other_region)


@pytest.fixture
def stranger(make_user: Callable[..., User]) -> User:
    return make_user("stranger")


@pytest.fixture
def vocabulary(db: None) -> None:
    load_vocabulary()


@pytest.fixture
def area(vocabulary: None) -> FormKind:
    return FormKind.objects.get(code="baseline_area")


@pytest.fixture
def sub_area(vocabulary: None) -> FormKind:
    return FormKind.objects.get(code="baseline_sub_area")


@pytest.fixture
def enumerator(
    make_user: Callable[..., User], region: AdminUnit, village: AdminUnit, area: FormKind, sub_area: FormKind
) -> Enumerator:
    """Certified for both baseline forms, with a login."""
    user = make_user("enumerator", role="enumerator", unit=region)
    person = EnumeratorFactory(code="E01", full_name="Aigerim Demo", home_unit=village, user=user)
    for kind in (area, sub_area):
        CertificateFactory(enumerator=person, form_kind=kind, issued_on=date(2022, 11, 11))
    return person
