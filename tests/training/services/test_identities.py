"""Other numbers and better dates by hand; who was known by what on a day."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from dtm_ops.common.errors import Refused
from tests.concurrently import at_once
from tests.factories.accounts import UserFactory
from tests.factories.training import EnumeratorFactory
from training.models import Enumerator, EnumeratorIdentity
from training.selectors.identities import person_known_as
from training.services.identities import attach_identity, end_identity, reopen_identities

FIRST, LAST = date(2023, 1, 1), date(2023, 6, 30)


def rows(person):
    return list(person.identities.order_by("kind", "value").values_list("kind", "value", "valid_from", "valid_to"))


@pytest.mark.django_db
def test_attached_phone_is_kept_as_e164_and_leaves_the_column_alone():
    person = EnumeratorFactory(phone="+77010000001")

    attach_identity(person, kind="phone", value="8 701 000 00 02", valid_from=FIRST, note=" SIM of the mission ")

    person.refresh_from_db()
    assert person.phone == "+77010000001"
    assert rows(person) == [("phone", "+77010000001", None, None), ("phone", "+77010000002", FIRST, None)]
    assert person.identities.get(valid_from=FIRST).note == "SIM of the mission"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"kind": "phone", "value": "12"}, "“12” is not a phone number."),
        ({"kind": "email", "value": "nobody"}, "Enter a valid email address."),
        ({"kind": "kobo", "value": " "}, "Write what the person is known by."),
        ({"kind": "login"}, "A login names a user; everything else has a value."),
        ({"kind": "kobo", "value": "x", "valid_from": LAST, "valid_to": FIRST}, "The last day is before the first."),
        ({"kind": "kobo", "value": "theirs"}, "It is Other (E90)'s at the same time: without dates."),
    ],
)
def test_identity_that_cannot_be_is_refused_in_words(asked, sentence):
    EnumeratorFactory(code="E90", full_name="Other", kobo_username="theirs")
    person = EnumeratorFactory()

    with pytest.raises(Refused, match=sentence.replace("(", r"\(").replace(")", r"\)")):
        attach_identity(person, **asked)

    assert rows(person) == []


@pytest.mark.django_db(transaction=True)
def test_two_people_who_take_one_account_at_one_time_one_is_told():
    first, second = EnumeratorFactory(code="A1"), EnumeratorFactory(code="A2")

    ended = at_once(
        *(
            lambda one=one: attach_identity(one, kind="kobo", value="shared", valid_from=FIRST)
            for one in (first, second)
        )
    )

    (refused,) = [one for one in ended if isinstance(one, Refused)]
    assert refused.code == "taken"
    assert EnumeratorIdentity.objects.filter(value="shared").count() == 1


@pytest.mark.django_db
def test_identity_in_use_ends_with_its_column_on_its_day():
    today = timezone.localdate()
    person = EnumeratorFactory(kobo_username="mine")

    end_identity(person.identities.get(), on=today)

    person.refresh_from_db()
    assert (person.kobo_username, rows(person)) == ("", [("kobo", "mine", None, today)])
    assert person_known_as("kobo", "mine", today) == person
    assert person_known_as("kobo", "mine", today + timedelta(days=1)) is None


@pytest.mark.django_db
def test_identity_does_not_end_on_a_day_to_come_nor_twice():
    person = EnumeratorFactory(kobo_username="mine")
    old = attach_identity(person, kind="phone", value="+77010000003", valid_to=LAST)

    with pytest.raises(Refused, match="still to come"):
        end_identity(person.identities.get(kind="kobo"), on=timezone.localdate() + timedelta(days=1))
    with pytest.raises(Refused, match="ended already"):
        end_identity(old, on=LAST)

    assert rows(person) == [("kobo", "mine", None, None), ("phone", "+77010000003", None, LAST)]


@pytest.mark.django_db
def test_account_given_up_today_and_taken_back_today_goes_on():
    person = EnumeratorFactory(kobo_username="mine")
    end_identity(person.identities.get(), on=timezone.localdate())
    person.refresh_from_db()

    person.kobo_username = "mine"
    assert reopen_identities([person]) == 1
    person.save()

    assert rows(person) == [("kobo", "mine", None, None)]


@pytest.mark.django_db
def test_person_is_known_by_every_kind_on_the_day_and_not_by_a_shared_phone():
    user = UserFactory(username="aigerim")
    person = EnumeratorFactory(phone="+77010000001", email="a@example.org", kobo_username="mine", user=user)
    other = EnumeratorFactory(phone="+77010000009")
    attach_identity(person, kind="phone", value="+77010000009", valid_from=FIRST, valid_to=LAST)
    asked = [
        ("login", "aigerim", LAST),
        ("kobo", "mine", LAST),
        ("phone", "8 701 000 00 01", LAST),
        ("email", "A@example.org", LAST),
        ("phone", "+77010000009", LAST),
        ("phone", "+77010000009", LAST + timedelta(days=1)),
        ("phone", "nonsense", LAST),
    ]

    assert [person_known_as(*one) for one in asked] == [person, person, person, person, None, other, None]


@pytest.mark.django_db
def test_merged_entry_answers_with_the_one_it_was_merged_into():
    keep, drop = EnumeratorFactory(), EnumeratorFactory(kobo_username="old", status="left")
    Enumerator.objects.filter(pk=drop.pk).update(merged_into=keep)

    assert person_known_as("kobo", "old", LAST) == keep
