"""What a person is known by, and when: kept by the database whatever writes the roster."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F

from dtm_ops.accounts.models import User
from tests.factories.accounts import UserFactory
from tests.factories.training import EnumeratorFactory
from training.models import Enumerator, EnumeratorIdentity

pytestmark = pytest.mark.django_db


def today() -> date:
    # The database's own clock keeps the days.
    return datetime.now(UTC).date()


def identities(person: Enumerator) -> list[tuple[str, str, date | None, date | None]]:
    rows = person.identities.order_by("kind", F("valid_from").asc(nulls_first=True))
    return [(row.kind, row.value, row.valid_from, row.valid_to) for row in rows]


def test_new_person_has_an_identity_for_each_filled_column():
    user = UserFactory()
    person = EnumeratorFactory(phone="+77010000001", kobo_username="aigerim", user=user)

    assert identities(person) == [
        ("kobo", "aigerim", None, None),
        ("login", "", None, None),
        ("phone", "+77010000001", None, None),
    ]
    assert person.identities.get(kind="login").user == user


@pytest.mark.parametrize("how", ["save", "update", "bulk_update"])
def test_changed_phone_closes_the_old_and_opens_the_new(how: str):
    person = EnumeratorFactory(phone="+77010000001")
    person.phone = "+77010000002"
    if how == "save":
        person.save()
    elif how == "update":
        Enumerator.objects.update(phone=person.phone)
    else:
        Enumerator.objects.bulk_update([person], ["phone"])

    assert identities(person) == [
        ("phone", "+77010000001", None, today() - timedelta(days=1)),
        ("phone", "+77010000002", today(), None),
    ]


def test_phone_changed_twice_a_day_keeps_no_day_that_never_was():
    person = EnumeratorFactory(phone="+77010000001")
    for phone in ("+77010000002", "+77010000003"):
        Enumerator.objects.update(phone=phone)

    assert [row[1] for row in identities(person)] == ["+77010000001", "+77010000003"]


def test_change_of_another_column_writes_no_identity():
    person = EnumeratorFactory(phone="+77010000001")
    Enumerator.objects.update(full_name="Another Name", phone=F("phone"))

    assert identities(person) == [("phone", "+77010000001", None, None)]


def test_kobo_account_may_pass_to_another_person_and_each_day_has_one():
    first, second = EnumeratorFactory(kobo_username="shared"), EnumeratorFactory()
    Enumerator.objects.filter(pk=first.pk).update(kobo_username="")
    Enumerator.objects.filter(pk=second.pk).update(kobo_username="shared")

    held = EnumeratorIdentity.objects.filter(kind="kobo", value="shared")
    assert held.on(today()).get().enumerator == second
    assert held.on(today() - timedelta(days=1)).get().enumerator == first


def test_same_kobo_account_of_two_people_on_one_day_is_refused():
    first, second = EnumeratorFactory(kobo_username="mine"), EnumeratorFactory()
    with pytest.raises(IntegrityError), transaction.atomic():
        EnumeratorIdentity.objects.create(enumerator=second, kind="kobo", value="mine", valid_from=date(2022, 1, 1))

    assert [row.enumerator for row in EnumeratorIdentity.objects.filter(kind="kobo")] == [first]


def test_phone_may_be_shared():
    for _number in range(2):
        EnumeratorFactory(phone="+77010000001")

    assert EnumeratorIdentity.objects.filter(kind="phone", value="+77010000001").count() == 2


def test_login_taken_away_ends_yesterday():
    user = UserFactory()
    person = EnumeratorFactory(user=user)
    Enumerator.objects.update(user=None)

    (login,) = person.identities.filter(kind="login")
    assert (login.user, login.valid_to) == (user, today() - timedelta(days=1))
    assert User.objects.filter(pk=user.pk).exists()
