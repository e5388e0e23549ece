"""Questions about the roster."""

from datetime import date

import pytest

from tests.factories.training import CertificateFactory, EnumeratorFactory
from training.selectors import certified_enumerators

pytestmark = pytest.mark.django_db

DAY = date(2022, 11, 20)


def test_only_active_people_with_a_certificate_that_holds_may_be_sent(enumerator, village, area, sub_area):
    other_version, expired, early, left = (EnumeratorFactory(home_unit=village) for _unused in range(4))
    CertificateFactory(enumerator=other_version, form_kind=area, major_version=2)
    CertificateFactory(enumerator=expired, form_kind=area, expires_on=date(2022, 11, 19))
    CertificateFactory(enumerator=early, form_kind=area, issued_on=date(2022, 11, 21))
    CertificateFactory(enumerator=left, form_kind=area)
    type(left).objects.filter(pk=left.pk).update(status="left")

    assert list(certified_enumerators(area, 1, DAY)) == [enumerator]
    assert list(certified_enumerators(area, 2, DAY)) == [other_version]
    assert list(certified_enumerators(sub_area, 1, DAY)) == [enumerator]


def test_certified_people_are_narrowed_to_the_region_of_a_place(enumerator, district, other_village, area):
    far = EnumeratorFactory(home_unit=other_village)
    CertificateFactory(enumerator=far, form_kind=area)

    assert list(certified_enumerators(area, 1, DAY, unit=district)) == [enumerator]
    assert list(certified_enumerators(area, 1, DAY, unit=other_village)) == [far]
    assert certified_enumerators(area, 1, DAY).count() == 2
