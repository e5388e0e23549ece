"""Two entries of one person: found by phone, mail and name in any script, merged with nothing lost."""

import time
from datetime import date, timedelta

import pytest
from django.apps import apps
from django.db import transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from assessments.models import KoboSubmission, SessionAssignment
from assessments.services.assignments import assign_enumerator
from assessments.services.focus_groups import plan_focus_group
from assessments.services.merging import merge_with_work
from dtm_ops.common.errors import Refused
from dtm_ops.records.models import Receipt, StatusChange
from tests.concurrently import at_once
from tests.factories.accounts import UserFactory
from tests.factories.assessments import AssessmentRoundFactory, KoboFormFactory, RoundTargetFactory, make_submission
from tests.factories.training import CertificateFactory, EnumeratorFactory, TeamFactory, TrainingSessionFactory
from training.models import Enumerator, EnumeratorIdentity, TrainingHalfDay
from training.selectors.duplicates import suggest_duplicates
from training.selectors.identities import person_known_as
from training.services.absences import note_absence
from training.services.corrective import raise_task
from training.services.enrolment import enrol
from training.services.merging import merge_people, note_two_people, pointing_at_people
from training.services.teams import join_team

TODAY = timezone.localdate()


def days(number: int) -> date:
    return TODAY + timedelta(days=number)


def pairs(user):
    return [(pair.first.code, pair.second.code, pair.score, pair.reasons) for pair in suggest_duplicates(user)]


# --- suggestions


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # The same name in three scripts, another order, without the patronymic.
        ({"full_name": "Айгерім Қасымова"}, {"full_name": "Aigerim Kasymova"}, (80, ("name", "region"))),
        ({"full_name": "Касымова Айгерим Ермековна"}, {"full_name": "Aigerim Kasymova"}, (80, ("name", "region"))),
        ({"full_name": "Ботагөз Жұмабаева"}, {"full_name": "Botagoz Zhumabaeva"}, (80, ("name", "region"))),
        ({"full_name": "Aigerim Kasymova"}, {"full_name": "Aigerim Kasimovna"}, (60, ("near", "region"))),
        ({"full_name": "Marat Omarov"}, {"full_name": "Murat Omarov"}, (60, ("near", "region"))),
        ({"full_name": "A B", "other_names": ["Серік Бек"]}, {"full_name": "Serik Bek"}, (80, ("name", "region"))),
        ({"phone": "+77010000001"}, {"phone": "+77010000001"}, (80, ("phone", "region"))),
        ({"email": "a@example.org"}, {"email": "A@example.org"}, (80, ("email", "region"))),
        ({"full_name": "Aliya Omarova"}, {"full_name": "Aigul Omarova"}, None),
        ({"full_name": "Omarov"}, {"full_name": "Marat Omarov"}, None),
        ({"full_name": "Berik Alimov"}, {"full_name": "Serik Alimov"}, None),
    ],
)
def test_entries_that_may_be_one_person_are_suggested(administrator, village, first, second, expected):
    plain = {"home_unit": village}
    EnumeratorFactory(code="D1", **plain, **{"full_name": "Xenia Tsoi", **first})
    EnumeratorFactory(code="D2", **plain, **{"full_name": "Dmitri Volkov", **second})

    assert pairs(administrator) == ([] if expected is None else [("D1", "D2", *expected)])


def test_near_name_of_another_region_is_no_suggestion_and_the_same_name_is(administrator, village, other_village):
    EnumeratorFactory(code="D1", full_name="Marat Omarov", home_unit=village)
    EnumeratorFactory(code="D2", full_name="Murat Omarov", home_unit=other_village)
    EnumeratorFactory(code="D3", full_name="Марат Омаров", home_unit=other_village)

    assert pairs(administrator) == [
        ("D1", "D3", 60, ("name",)),
        ("D2", "D3", 60, ("near", "region")),
    ]


def test_pairs_are_of_people_in_reach_and_not_of_merged_ones(
    coordinator, other_coordinator, administrator, village, other_village
):
    first = EnumeratorFactory(code="D1", full_name="Marat Omarov", home_unit=village)
    EnumeratorFactory(code="D2", full_name="Marat Omarov", home_unit=village)
    EnumeratorFactory(code="D3", full_name="Marat Omarov", home_unit=other_village)
    EnumeratorFactory(code="D4", full_name="Marat Omarov", home_unit=village, status="left", merged_into=first)

    found = {
        user.username: [one[:2] for one in pairs(user)] for user in (coordinator, other_coordinator, administrator)
    }

    assert found == {
        "coordinator": [("D1", "D2")],
        "other_coordinator": [],
        "administrator": [("D1", "D2"), ("D1", "D3"), ("D2", "D3")],
    }


def test_two_people_are_remembered_and_not_suggested_again(administrator, village):
    one, other = (EnumeratorFactory(full_name="Marat Omarov", home_unit=village) for _unused in range(2))

    for pair in ((one, other), (other, one)):
        note_two_people(*pair, by=administrator)
    with pytest.raises(Refused):
        note_two_people(one, one, by=administrator)

    assert (pairs(administrator), Receipt.objects.count()) == ([], 1)


def test_longest_names_and_reason_fit_the_receipt(administrator, village):
    one, other = (EnumeratorFactory(full_name=letter * 160, home_unit=village) for letter in "AB")

    note_two_people(one, other, by=administrator)
    receipt = merge_people(one, other, by=administrator, reason="r" * 240)

    assert [len(row.title) for row in Receipt.objects.all()] == [240, 240]
    assert receipt.title.startswith("B" * 160)


def test_ten_thousand_people_are_compared_in_few_queries_and_little_time(
    administrator, village, django_assert_num_queries
):
    """Given names and surnames repeat as they do in a country; three pairs are planted."""
    first = ("Ai", "Bo", "Da", "Er", "Gu", "Ka", "Ma", "Nur", "Sa", "Zha")
    second = ("gul", "tagoz", "nara", "lan", "lbek", "rat", "sultan", "mira", "dos", "niya")
    given = [a + b for a in first for b in second]
    roots = ("Akhmet", "Bekt", "Duis", "Esen", "Ibra", "Kasym", "Musta", "Omar", "Seit", "Tulep")
    ends = ("ov", "bekov", "galiev", "ova", "zhanov", "khanov", "baev", "enov", "kulov", "tasov")
    surnames = [a + b for a in roots for b in ends]
    made = [
        EnumeratorFactory.build(code=f"N{number}", full_name=f"{name} {surname}", home_unit=village)
        for number, (name, surname) in enumerate((name, surname) for name in given for surname in surnames)
    ]
    Enumerator.objects.bulk_create(made, batch_size=1000)
    EnumeratorFactory(code="Z1", full_name="Ақмарал Өтебай", home_unit=village)
    EnumeratorFactory(code="Z2", full_name="Akmaral Utebai", home_unit=village)
    EnumeratorFactory(code="Z3", full_name="Akmaral Otebay", home_unit=village, phone="+77010000001")

    began = time.perf_counter()
    with django_assert_num_queries(3):
        found = suggest_duplicates(administrator)
    took = time.perf_counter() - began

    told = {(pair.first.code, pair.second.code) for pair in found}
    assert {("Z1", "Z3")} <= told
    assert took < 20, f"{took:.1f} s"


# --- merging


@pytest.fixture
def two(village, other_village):
    """The same woman, entered twice."""
    keep = EnumeratorFactory(code="K1", full_name="Aigerim Kasymova", home_unit=village, languages=["kk"])
    user = UserFactory(username="aigerim", first_name="A.", last_name="K.")
    drop = EnumeratorFactory(
        code="D1", full_name="Айгерім Қасымова", home_unit=other_village, phone="+77010000001", languages=["ru"],
        kobo_username="aigerim", organisation="Demo centre", has_vehicle=True, user=user,
    )  # fmt: skip
    return keep, drop


def test_what_points_at_people_is_found_in_every_app():
    """A new table is merged by itself; this list only shows that none is overlooked."""
    assert [f"{model._meta.label}.{column}" for model, column in pointing_at_people()] == [
        "assessments.KoboSubmission.enumerator",
        "assessments.MatchAlias.enumerator",
        "assessments.SessionAssignment.enumerator",
        "training.Absence.enumerator",
        "training.Certificate.enumerator",
        "training.CorrectiveTask.enumerator",
        "training.Enrolment.enumerator",
        "training.Enumerator.merged_into",
        "training.EnumeratorIdentity.enumerator",
        "training.TeamMembership.enumerator",
        "training.TestAttempt.enumerator",
    ]


def test_merging_moves_rows_fills_blanks_and_leaves_a_redirect(two, administrator):
    keep, drop = two
    earlier = EnumeratorFactory(status="left", merged_into=drop)
    CertificateFactory(enumerator=drop)

    receipt = merge_people(keep, drop, by=administrator, reason=" One person ")

    assert (keep.full_name, keep.phone, keep.kobo_username) == ("Aigerim Kasymova", "+77010000001", "aigerim")
    assert (keep.organisation, keep.has_vehicle, keep.user.username) == ("Demo centre", True, "aigerim")
    assert (keep.other_names, keep.languages) == (["Айгерім Қасымова"], ["kk", "ru"])
    assert (drop.status, drop.status_reason, drop.merged_into) == ("left", "Merged into K1: One person", keep)
    assert Enumerator.objects.get(pk=earlier.pk).merged_into == keep
    assert keep.certificates.count() == 1
    known = EnumeratorIdentity.objects.values_list("enumerator__code", "kind", "valid_to")
    assert sorted(known) == [("K1", "kobo", None), ("K1", "login", None), ("K1", "phone", None)]
    assert person_known_as("kobo", "aigerim", TODAY) == keep
    assert list(StatusChange.objects.about(drop).values_list("old", "new", "by__username")) == [
        ("active", "left", "administrator")
    ]
    assert receipt.title == "Айгерім Қасымова (D1) was merged into Aigerim Kasymova (K1): One person"
    assert [(line["what"], line["row"], line["done"]) for line in receipt.lines] == [
        ("certificates", "1 rows", "now K1's"),
        ("enumerators", "1 rows", "now K1's"),
        ("identities", "3 rows", "now K1's"),
        ("enumerator", "phone", "taken over: +77010000001"),
        ("enumerator", "organisation", "taken over: Demo centre"),
        ("enumerator", "Kobo user name", "taken over: aigerim"),
        ("enumerator", "login", "taken over: A. K."),
    ]


def test_what_both_have_in_one_place_stays_and_is_told(two, administrator, region):
    keep, drop = two
    training = TrainingSessionFactory(title="Refresher")
    TrainingHalfDay.objects.create(training_session=training, day=days(5), part="am")
    enrol(training, two)
    certificate = CertificateFactory(enumerator=keep, training_session=training)
    CertificateFactory(enumerator=drop, training_session=training, form_kind=certificate.form_kind)
    for person, first in ((keep, 1), (drop, 2)):
        note_absence(person, first_day=days(first), last_day=days(first + 2))
        join_team(TeamFactory(name=f"Team {person.code}", unit=region), person, valid_from=days(-9))

    receipt = merge_people(keep, drop, by=administrator, reason="One person")

    told = [
        (line["what"], line["done"]) for line in receipt.lines if "K1 has" in line["done"] or "second" in line["done"]
    ]
    assert told == [
        ("enrolment", "the second seat of the same person is free"),
        ("membership", "the second membership ends today"),
        ("absence", "stays with D1: K1 has one of their own there"),
        ("certificate", "stays with D1: K1 has one of their own there"),
        ("enrolment", "stays with D1: K1 has one of their own there"),
        ("membership", "stays with D1: K1 has one of their own there"),
    ]
    assert [drop.absences.count(), drop.certificates.count(), drop.enrolments.count()] == [1, 1, 1]
    assert drop.enrolments.get().status == "declined"
    assert drop.memberships.get().valid_to == TODAY


def test_second_login_stays_on_and_is_told(two, administrator):
    keep, drop = two
    Enumerator.objects.filter(pk=keep.pk).update(user=UserFactory(username="first"))

    receipt = merge_people(keep, drop, by=administrator, reason="One person")

    assert receipt.lines[-1]["done"] == "a second login of the same person, still on: an administrator decides"
    assert (keep.user.username, drop.user) == ("first", None)
    assert person_known_as("login", "aigerim", TODAY) == keep


@pytest.fixture
def target(village, sub_area):
    found = RoundTargetFactory(round=AssessmentRoundFactory(), unit=village, form_kind=sub_area)
    KoboFormFactory(round=found.round, form_kind=sub_area)
    return found


def test_place_of_both_in_one_focus_group_is_withdrawn_and_moves_as_history(two, administrator, target, sub_area):
    keep, drop = two
    for person in two:
        CertificateFactory(enumerator=person, form_kind=sub_area)
    at = timezone.now() + timedelta(days=3)
    groups = [
        plan_focus_group(target, starts_at=at + timedelta(days=n), ends_at=at + timedelta(days=n, hours=2))
        for n in (0, 1)
    ]
    assign_enumerator(groups[0], keep)
    for group in groups:
        assign_enumerator(group, drop)
    submission = make_submission(target, enumerator=drop)

    receipt = merge_with_work(keep, drop, by=administrator, reason="One person")

    rows = SessionAssignment.objects.order_by("pk").values_list("focus_group_id", "enumerator__code", "withdrawn_at")
    assert [(group, code, at is None) for group, code, at in rows] == [
        (groups[0].pk, "K1", True),
        (groups[0].pk, "K1", False),
        (groups[1].pk, "K1", True),
    ]
    assert KoboSubmission.objects.get(pk=submission.pk).enumerator == keep
    assert receipt.lines[0]["done"] == "withdrawn: K1 is there, or elsewhere at that time"


@pytest.mark.parametrize(
    ("change", "code"),
    [("reason", "reason_missing"), ("same", "same_person"), ("merged", "merged_already"), ("left", "left")],
)
def test_merging_that_cannot_be_is_refused_with_nothing_written(two, administrator, change, code):
    keep, drop = two
    reason, other = ("" if change == "reason" else "One person"), (keep if change == "same" else drop)
    if change == "merged":
        Enumerator.objects.filter(pk=drop.pk).update(status="left", merged_into=EnumeratorFactory())
    if change == "left":
        Enumerator.objects.filter(pk=keep.pk).update(status="left")

    with pytest.raises(Refused) as refused:
        merge_people(keep, other, by=administrator, reason=reason)

    assert (refused.value.code, Receipt.objects.count(), StatusChange.objects.count()) == (code, 0, 0)
    assert EnumeratorIdentity.objects.filter(enumerator=keep).count() == 0


@pytest.mark.django_db(transaction=True)
def test_two_who_merge_each_into_the_other_at_one_time_one_is_told(two, administrator):
    keep, drop = two

    ended = at_once(
        lambda: merge_people(Enumerator.objects.get(pk=keep.pk), drop, by=administrator, reason="One"),
        lambda: merge_people(Enumerator.objects.get(pk=drop.pk), keep, by=administrator, reason="One"),
    )

    assert [one.code for one in ended if isinstance(one, Refused)] == ["merged_already"]
    assert (Enumerator.objects.exclude(merged_into=None).count(), Receipt.objects.count()) == (1, 1)


TABLES = [model for model in apps.get_models() if model._meta.app_label in ("training", "assessments")]
TABLES = [model for model in TABLES if not model.__name__.endswith("Event")]
THINGS = ["absence", "team", "task", "training", "certificate", "assignment", "form", "phone"]


def census():
    return {model.__name__: model._base_manager.count() for model in TABLES}


@pytest.fixture
def setting(two, administrator, target, sub_area, region):
    for person in two:
        CertificateFactory(enumerator=person, form_kind=sub_area)
    training = TrainingSessionFactory()
    TrainingHalfDay.objects.create(training_session=training, day=days(5), part="am")
    team = TeamFactory(unit=region)
    at = timezone.now() + timedelta(days=3)
    group = plan_focus_group(target, starts_at=at, ends_at=at + timedelta(hours=2))
    return two, administrator, training, team, group


@settings(max_examples=20)
@given(of_keep=st.sets(st.sampled_from(THINGS)), of_drop=st.sets(st.sampled_from(THINGS)))
def test_whatever_both_have_no_row_is_lost(setting, of_keep, of_drop):
    (keep, drop), administrator, training, team, group = setting
    with transaction.atomic():
        for person, things in ((keep, of_keep), (drop, of_drop)):
            give(things, person, training=training, team=team, group=group, by=administrator)
        before = census()

        merge_with_work(
            Enumerator.objects.get(pk=keep.pk), Enumerator.objects.get(pk=drop.pk), by=administrator, reason="One"
        )

        assert census() == before
        assert SessionAssignment.objects.active().filter(enumerator=drop).count() == 0
        transaction.set_rollback(True)


def give(things, person, *, training, team, group, by):
    if "absence" in things:
        note_absence(person, first_day=days(1), last_day=days(3))
    if "team" in things:
        join_team(team, person, valid_from=days(-3))
    if "task" in things:
        raise_task(person, what="Repeats", reason="Empty", due_on=days(3), by=by)
    if "training" in things:
        enrol(training, [person])
    if "certificate" in things:
        CertificateFactory(enumerator=person, training_session=training)
    if "assignment" in things:
        assign_enumerator(group, person)
    if "form" in things:
        make_submission(group.target, enumerator=person)
    if "phone" in things:
        Enumerator.objects.filter(pk=person.pk).update(phone=f"+7701000000{person.pk % 10}")
