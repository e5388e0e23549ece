"""A person leaves: every row that they hold is accounted for, or nothing is written."""

from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from assessments.enums import Held
from assessments.models import KoboSubmission, SessionAssignment
from assessments.selectors.open_work import open_work, successors
from assessments.services.assignments import assign_enumerator
from assessments.services.focus_groups import cancel_focus_group, plan_focus_group
from assessments.services.leaving import LeavingRefused, leave, preview_leave
from assessments.services.review import approve_submission, return_submission
from dtm_ops.accounts.models import ApiToken, User, issue_token
from dtm_ops.common.errors import Refused
from dtm_ops.records.models import Receipt, StatusChange
from locations.models import UnitScope
from tests.concurrently import at_once
from tests.factories.assessments import AssessmentRoundFactory, KoboFormFactory, RoundTargetFactory, make_submission
from tests.factories.training import CertificateFactory, EnumeratorFactory, TeamFactory, TrainingSessionFactory
from training.models import Absence, CorrectiveTask, Enrolment, Enumerator, TeamMembership, TrainingHalfDay
from training.services.absences import note_absence
from training.services.corrective import raise_task
from training.services.enrolment import enrol
from training.services.roster import change_enumerator_status
from training.services.teams import join_team

NOON = datetime.combine(timezone.localdate(), datetime.min.time(), tzinfo=UTC) + timedelta(hours=6)


def days(number: int) -> date:
    return timezone.localdate() + timedelta(days=number)


def plan(target, number: int):
    """A focus group that many days from now."""
    at = NOON + timedelta(days=number)
    return plan_focus_group(target, starts_at=at, ends_at=at + timedelta(hours=2))


@pytest.fixture
def successor(village, area, sub_area):
    person = EnumeratorFactory(code="E77", full_name="Botagoz Demo", home_unit=village)
    for kind in (area, sub_area):
        CertificateFactory(enumerator=person, form_kind=kind, issued_on=date(2022, 11, 11))
    return person


@pytest.fixture
def target(village, sub_area):
    found = RoundTargetFactory(round=AssessmentRoundFactory(), unit=village, form_kind=sub_area)
    KoboFormFactory(round=found.round, form_kind=sub_area)
    return found


@pytest.fixture
def busy(enumerator, target, district, sub_area, region, coordinator):
    """Somebody who holds one of everything."""
    Enumerator.objects.filter(pk=enumerator.pk).update(kobo_username="demo_e01", organisation="Demo centre")
    enumerator.refresh_from_db()
    other = RoundTargetFactory(round=target.round, unit=district, form_kind=sub_area)
    for group in (plan(other, 3), plan_focus_group(other), plan(target, -3)):
        assign_enumerator(group, enumerator)
    third = RoundTargetFactory(round=target.round, form_kind=sub_area, unit=region)
    submission = make_submission(third, enumerator=enumerator)
    return_submission(submission, reviewer=coordinator, reason="other", text="Look again")
    join_team(TeamFactory(code="a", name="Team A", unit=region), enumerator, valid_from=days(-100), is_lead=True)
    raise_task(enumerator, what="Repeats", reason="Empty", due_on=days(10), by=coordinator)
    training = TrainingSessionFactory(title="Refresher")
    TrainingHalfDay.objects.create(training_session=training, day=days(5), part="am")
    enrol(training, [enumerator])
    note_absence(enumerator, first_day=days(-1), last_day=days(6))
    note_absence(enumerator, first_day=days(30), last_day=days(31), kind="sickness")
    issue_token(enumerator.user, name="a program")
    return enumerator


def held(person, on=None):
    return [(row.kind.value, row.words) for row in open_work(Enumerator.objects.get(pk=person.pk), on or days(0)).rows]


def everything_to(person, successor):
    work = open_work(person, days(0))
    return {row.key: successor for row in work.rows if row.passes_on}


def count_rows():
    models = (
        SessionAssignment,
        KoboSubmission,
        TeamMembership,
        CorrectiveTask,
        Enrolment,
        Absence,
        UnitScope,
        ApiToken,
    )
    return [model.objects.count() for model in models] + [StatusChange.objects.count(), Receipt.objects.count()]


def test_open_work_names_every_row(busy):
    kinds = [kind for kind, _words in held(busy)]

    assert kinds == [
        "focus_group", "focus_group", "form_to_come", "returned_form", "lead", "task", "training", "absence", "absence",
        "contract", "kobo", "login", "right", "token",
    ]  # fmt: skip
    words = dict(held(busy))
    assert words["lead"] == "Team A"
    assert words["kobo"] == "demo_e01"
    assert words["right"] == "enumerator, Almaty region"
    assert words["contract"] == "Demo centre, without an end"


def test_open_work_takes_the_same_number_of_queries_at_three_rows(
    busy, target, django_assert_num_queries, django_assert_max_num_queries
):
    with django_assert_max_num_queries(20) as first:
        open_work(Enumerator.objects.select_related("user").get(pk=busy.pk), days(0))
    for number in (10, 11):
        assign_enumerator(plan(target, number), busy)
        raise_task(busy, what="Again", reason="So", due_on=days(9), by=None)

    with django_assert_num_queries(len(first)):
        open_work(Enumerator.objects.select_related("user").get(pk=busy.pk), days(0))


def test_leaving_accounts_for_every_row(busy, successor, coordinator):
    before = open_work(busy, days(0))

    receipt = leave(busy, on=days(0), reason=" New job ", by=coordinator, choices=everything_to(busy, successor))

    assert [(line["key"], line["row"]) for line in receipt.lines] == [(row.key, row.words) for row in before.rows]
    assert [(line["what"], line["done"]) for line in receipt.lines] == [
        ("focus group to come", "goes over to Botagoz Demo (E77)"),
        ("focus group to come", "goes over to Botagoz Demo (E77)"),
        ("form still to come", "now awaited from Botagoz Demo (E77)"),
        ("returned form", "Botagoz Demo (E77) corrects it"),
        ("lead of a team", "Botagoz Demo (E77) leads from the next day on"),
        ("corrective task", "cancelled"),
        ("training to come", "the seat is free"),
        ("absence", "cut at the last day"),
        ("absence", "removed: it would have begun later"),
        ("contract", receipt.lines[9]["done"]),
        ("Kobo user name", "ended here; remove the account from the projects at Kobo by hand: Practice"),
        ("login", "switched off, open sessions ended"),
        ("right", "taken away"),
        ("API token", "revoked"),
    ]
    busy.refresh_from_db()
    assert (busy.status, busy.status_since, busy.status_reason) == ("left", days(0), "New job")
    assert (busy.contract_to, busy.kobo_username, busy.user) == (days(0), "", None)
    assert held(busy) == []
    user = User.objects.get(username="enumerator")
    assert (user.is_active, user.has_usable_password(), user.unit_scopes.count()) == (False, False, 0)
    assert receipt.title.startswith("Aigerim Demo (E01) left on")
    assert receipt.title.endswith(": New job")
    going = SessionAssignment.objects.active().values_list("enumerator__code", flat=True)
    assert list(going) == ["E77"] * 3
    leads = TeamMembership.objects.filter(is_lead=True).order_by("valid_from")
    assert list(leads.values_list("enumerator__code", "valid_from", "valid_to")) == [
        ("E01", days(-100), days(0)),
        ("E77", days(1), None),
    ]


def test_leaving_without_a_successor_withdraws_everything(busy, coordinator):
    choices = dict.fromkeys(everything_to(busy, None))

    receipt = leave(busy, on=days(-1), reason="New job", by=coordinator, choices=choices)

    assert len(receipt.lines) == 14
    assert (SessionAssignment.objects.active().count(), held(busy, days(-1))) == (0, [])
    assert KoboSubmission.objects.get().review_status == "rejected"
    assert TeamMembership.objects.get().valid_to == days(-1)


def test_longest_reason_fits_the_receipt(enumerator, coordinator):
    receipt = leave(enumerator, on=days(0), reason="r" * 240, by=coordinator, choices={})

    assert (len(receipt.title), enumerator.status_reason) == (240, "r" * 240)


def test_preview_is_the_receipt_and_writes_nothing(busy, successor, coordinator):
    before = (held(busy), count_rows())

    seen = preview_leave(busy, on=days(0), reason="New job", by=coordinator, choices=everything_to(busy, successor))

    assert (held(busy), count_rows(), busy.status) == (*before, "active")
    done = leave(busy, on=days(0), reason="New job", by=coordinator, choices=everything_to(busy, successor))
    assert seen.lines == done.lines


def test_what_does_not_fit_is_told_row_by_row_and_nothing_is_written(busy, target, village, coordinator):
    """Not certified; and one row without a choice: it came up after the page was shown."""
    green = EnumeratorFactory(code="E88", full_name="Green Demo", home_unit=village)
    choices = everything_to(busy, green)
    assign_enumerator(plan(target, 20), busy)
    before = (held(busy), count_rows())

    with pytest.raises(LeavingRefused) as refused:
        leave(busy, on=days(0), reason="New job", by=coordinator, choices=choices)

    rows = refused.value.rows
    groups = [row.key for row in open_work(busy, days(0)).rows if row.kind in (Held.FOCUS_GROUP, Held.FORM_TO_COME)]
    assert sorted(rows) == sorted(groups)
    assert sum("holds no certificate" in sentence for sentence in rows.values()) == 3
    assert sum("came up after the page was shown" in sentence for sentence in rows.values()) == 1
    busy.refresh_from_db()
    assert (held(busy), count_rows(), busy.status) == (*before, "active")


def test_successor_who_is_elsewhere_then_is_told(busy, successor, district, sub_area, coordinator):
    elsewhere = RoundTargetFactory(round=AssessmentRoundFactory(), form_kind=sub_area)
    assign_enumerator(plan(elsewhere, 3), successor)

    with pytest.raises(LeavingRefused) as refused:
        leave(busy, on=days(0), reason="New job", by=coordinator, choices=everything_to(busy, successor))

    assert list(refused.value.rows.values()) == ["Botagoz Demo (E77) is already in another focus group at that time."]


@pytest.mark.parametrize(("changed", "code"), [({"reason": " "}, "reason_missing"), ({"on": days(1)}, "day_to_come")])
def test_leaving_without_a_reason_or_on_a_day_to_come_is_refused(busy, coordinator, changed, code):
    before = count_rows()

    with pytest.raises(Refused) as refused:
        leave(busy, **{"on": days(0), "reason": "New job", "by": coordinator, "choices": {}, **changed})

    assert (refused.value.code, count_rows()) == (code, before)


def test_who_has_left_cannot_leave_again(enumerator, coordinator):
    change_enumerator_status(enumerator, "left", by=coordinator, reason="Moved")

    with pytest.raises(Refused, match="has left already"):
        leave(enumerator, on=days(0), reason="Again", by=coordinator, choices={})

    assert Receipt.objects.count() == 0


def test_login_with_another_role_stays_on(enumerator, region, coordinator):
    UnitScope.objects.create(user=enumerator.user, unit=region, role="coordinator")
    issue_token(enumerator.user, name="a program")

    receipt = leave(enumerator, on=days(0), reason="New job", by=coordinator, choices={})

    user = User.objects.get(username="enumerator")
    assert (user.is_active, list(user.unit_scopes.values_list("role", flat=True))) == (True, ["coordinator"])
    assert ApiToken.objects.get().revoked_at is None
    assert [line["done"] for line in receipt.lines if line["what"] == "login"] == [
        "not theirs as an enumerator any more; stays on for the other roles"
    ]


def test_who_left_as_enumerator_and_stays_coordinator_approves_no_form_of_their_own(
    enumerator, target, region, coordinator
):
    UnitScope.objects.create(user=enumerator.user, unit=region, role="coordinator")
    submission = make_submission(target, enumerator=enumerator)
    leave(enumerator, on=days(0), reason="New post", by=coordinator, choices={})

    with pytest.raises(Refused, match="Nobody approves their own"):
        approve_submission(submission, reviewer=User.objects.get(username="enumerator"))

    assert KoboSubmission.objects.get().review_status == "received"


def test_successors_offered_are_those_who_would_not_be_refused(busy, successor, village, target, sub_area):
    green = EnumeratorFactory(code="E88", home_unit=village)
    away = EnumeratorFactory(code="E89", home_unit=village)
    CertificateFactory(enumerator=away, form_kind=sub_area)
    note_absence(away, first_day=days(0), last_day=days(9))
    work = open_work(busy, days(0))

    offered = successors(work, [successor, green, away, busy])

    by_kind = [(row.kind.value, [one.code for one in offered[row.key]]) for row in work.rows if row.passes_on]
    assert by_kind == [
        ("focus_group", ["E77"]),
        ("focus_group", ["E77"]),
        ("form_to_come", ["E77", "E89"]),
        ("returned_form", ["E77", "E88", "E89"]),
        ("lead", ["E77", "E88", "E89"]),
    ]


@pytest.mark.django_db(transaction=True)
def test_focus_group_given_while_the_person_leaves_is_not_forgotten(busy, target, coordinator):
    """Whoever comes first: either the row is part of the leaving and refused there, or the assignment is."""
    group = plan(target, 25)
    choices = dict.fromkeys(everything_to(busy, None))

    ended = at_once(
        partial(leave, busy, on=days(0), reason="New job", by=coordinator, choices=choices),
        lambda: assign_enumerator(group, Enumerator.objects.get(pk=busy.pk)),
    )

    refused = [one for one in ended if isinstance(one, Refused)]
    assert len(refused) == 1
    left = Enumerator.objects.get(pk=busy.pk).status == "left"
    assert (left, SessionAssignment.objects.active().filter(enumerator=busy).count()) in ((True, 0), (False, 4))


@pytest.mark.django_db(transaction=True)
def test_two_who_let_one_person_go_at_one_time_one_is_told(busy, successor, coordinator):
    choices = everything_to(busy, successor)

    ended = at_once(*[partial(leave, busy, on=days(0), reason="New job", by=coordinator, choices=choices)] * 2)

    assert [one.code for one in ended if isinstance(one, Refused)] == ["left_already"]
    assert Receipt.objects.count() == 1


@pytest.fixture
def setting(enumerator, successor, target, region, coordinator):
    return enumerator, successor, target, coordinator


# What a person may hold, each any number of times.
THINGS = st.lists(
    st.sampled_from(["coming", "no_date", "over", "cancelled", "task", "training", "absence", "team"]), max_size=8
)


@settings(max_examples=25)
@given(things=THINGS, passes=st.lists(st.booleans(), min_size=8, max_size=8), back=st.integers(0, 4))
def test_whatever_somebody_holds_the_receipt_has_a_line_for_each_row_and_nothing_is_left(setting, things, passes, back):
    person, successor, target, coordinator = setting
    with transaction.atomic():
        give(things, person, target, coordinator)
        on = days(-back)
        rows = open_work(person, on).rows
        turns = iter(passes)
        choices = {row.key: successor if next(turns, False) else None for row in rows if row.passes_on}

        receipt = leave(Enumerator.objects.get(pk=person.pk), on=on, reason="New job", by=coordinator, choices=choices)

        assert [line["key"] for line in receipt.lines] == [row.key for row in rows]
        assert all(line["done"] for line in receipt.lines)
        assert held(person, on) == []
        transaction.set_rollback(True)


def give(things, person, target, coordinator):
    team_from = 0
    for number, thing in enumerate(things):
        if thing in ("coming", "over", "cancelled"):
            group = plan(target, (number + 2) * (-1 if thing == "over" else 1))
            assign_enumerator(group, person)
            if thing == "cancelled":
                cancel_focus_group(group, by=coordinator, reason="Snow")
        elif thing == "no_date":
            assign_enumerator(plan_focus_group(target), person)
        elif thing == "task":
            raise_task(person, what=f"Task {number}", reason="So", due_on=days(number), by=coordinator)
        elif thing == "training":
            training = TrainingSessionFactory()
            TrainingHalfDay.objects.create(training_session=training, day=days(number - 2), part="am")
            enrol(training, [person])
        elif thing == "absence":
            note_absence(person, first_day=days(4 * number - 6), last_day=days(4 * number - 4))
        elif thing == "team":
            first = days(team_from * 20 - 30)
            team_from += 1
            join_team(
                TeamFactory(), person, valid_from=first, valid_to=first + timedelta(days=19), is_lead=number % 2 == 0
            )
