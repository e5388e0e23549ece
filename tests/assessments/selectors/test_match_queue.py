"""Forms to match: one line for all that is typed alike, and what it may mean."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assessments.models import KoboFormVersion, KoboSubmission, MatchAlias
from assessments.selectors.match_queue import choices, match_queue, waiting, with_suggestions
from assessments.selectors.phones import phone_of, phones_of
from assessments.selectors.unreadable import forms_with_unreadable, unreadable, with_reasons
from assessments.services.assignments import assign_enumerator
from assessments.services.focus_groups import plan_focus_group
from locations.services.aliases import follow_names
from tests.factories.assessments import KoboFormFactory, RoundTargetFactory, make_submission
from tests.factories.locations import AdminUnitFactory
from tests.factories.training import EnumeratorFactory

pytestmark = pytest.mark.django_db

AT = datetime(2022, 11, 20, 5, tzinfo=UTC)


@pytest.fixture
def target(village, sub_area):
    follow_names([village])
    return RoundTargetFactory(unit=village, form_kind=sub_area)


@pytest.fixture
def form(target, sub_area):
    return KoboFormFactory(round=target.round, form_kind=sub_area)


@pytest.fixture
def group(target, enumerator):
    found = plan_focus_group(target, starts_at=AT, ends_at=AT + timedelta(hours=2))
    assign_enumerator(found, enumerator)
    return found


@pytest.fixture
def lost(target, form):
    """``lost(place="x")``: a form that the sync has stored and matched nothing with."""

    def make(*, place="", code="", who="", problem="unknown_place", **columns):
        one = make_submission(
            target, form=form, typed_place=place, typed_focus_group=code, typed_person=who, match_problem=problem,
            day=date(2022, 11, 20), **columns,
        )  # fmt: skip
        KoboSubmission.objects.filter(pk=one.pk).update(match_state="unmatched", target=None, unit=None)
        return one

    return make


def lines(user):
    found = with_suggestions(match_queue(user), user)
    return [(one.cause, one.typed, one.count, [(what.label, what.reason) for what in one.suggestions]) for one in found]


def test_queue_puts_what_is_typed_alike_into_one_line_with_its_ids(lost, enumerator, administrator):
    for place in ("Zhandossov", "ЖАНДОСОВ", "Elsewhere"):
        lost(place=place, enumerator=enumerator)

    first, second = match_queue(administrator)

    assert (first.kind, first.key, first.count, first.newest) == ("place", "žandosov", 2, date(2022, 11, 20))
    assert [kobo_id for _key, kobo_id in first.shown] == [2, 1]
    assert (second.typed, second.count, waiting(administrator).count()) == ("Elsewhere", 1, 3)


def test_queue_leaves_out_trials_rejected_deleted_and_refused(lost, enumerator, administrator):
    now = timezone.now()
    for columns in ({"is_trial": True}, {"is_refused": True}, {"deleted_at": now}, {"review_status": "rejected"}):
        lost(place="x", enumerator=enumerator, **columns)

    assert match_queue(administrator) == []


def test_queue_suggests_places_by_spelling_and_by_who_is_assigned(
    lost, group, form, enumerator, village, district, administrator
):
    near = AdminUnitFactory(parent=district, names={"en": "Zhandosova"})
    far = AdminUnitFactory(parent=district, names={"en": "Tausamaly"})
    unplanned = AdminUnitFactory(parent=district, names={"en": "Zhandosovka"})
    follow_names([near, far, unplanned])
    for unit in (near, far):
        RoundTargetFactory(round=form.round, form_kind=form.form_kind, unit=unit)
    lost(place="Жандосов", enumerator=enumerator)

    assert lines(administrator) == [
        (
            "unknown_place",
            "Жандосов",
            1,
            [
                ("Zhandosov, Karasay", "spelled the same; Aigerim Demo is assigned there"),
                ("Zhandosova, Karasay", "sounds alike"),
            ],
        )
    ]


def test_queue_suggests_by_place_code_and_by_the_code_beside_it(lost, group, enumerator, village, administrator):
    wrong = f"{group.code[:-1]}{'2' if group.code[-1] != '2' else '3'}"
    lost(place=f"{village.unit_id[:-1]}9", enumerator=EnumeratorFactory(code="E50"))
    lost(place="Somewhere", code=wrong, enumerator=EnumeratorFactory(code="E51"))

    reasons = [suggested for *_line, suggested in lines(administrator)]

    assert reasons == [
        [("Zhandosov, Karasay", "its code differs in one character")],
        [("Zhandosov, Karasay", f"the code of its focus group {group.code} is one character away")],
    ]


def test_queue_suggests_focus_groups_by_a_near_code_or_by_the_person_that_day(
    lost, group, target, enumerator, administrator
):
    swapped = f"{group.code[:3]}{group.code[4]}{group.code[3]}{group.code[5:]}"
    lost(code=swapped, problem="unknown_code", enumerator=EnumeratorFactory(code="E50"))
    lost(code="ZZ-ZZZ9", problem="unknown_code", enumerator=enumerator)

    found = {one.typed: one for one in with_suggestions(match_queue(administrator), administrator)}

    label = f"{group.code}, Zhandosov, 20 Nov 2022"
    assert [(one.label, one.reason) for one in found[swapped].suggestions] == [(label, "one character differs")]
    assert [(one.label, one.reason) for one in found["ZZ-ZZZ9"].suggestions] == [
        (label, "Aigerim Demo was there on that day")
    ]
    assert found[swapped].note == "The code has a slip: its last character does not fit the others."


def test_queue_says_of_a_code_that_it_is_of_another_round(lost, target, enumerator, village, sub_area, administrator):
    other = plan_focus_group(
        RoundTargetFactory(round__code="2023-Q1", unit=village, form_kind=sub_area), starts_at=None, ends_at=None
    )
    lost(code=other.code, problem="unknown_code", enumerator=enumerator)

    (line,) = with_suggestions(match_queue(administrator), administrator)

    assert line.note == "This is the code of a focus group of round 2023-Q1, of another form or place."


def test_queue_of_a_place_that_is_not_planned_offers_what_is_planned_above_it(
    lost, form, target, district, village, enumerator, administrator
):
    hamlet = AdminUnitFactory(parent=village, names={"en": "Hamlet"})
    one = lost(place=hamlet.unit_id, problem="not_planned", enumerator=enumerator)
    KoboSubmission.objects.filter(pk=one.pk).update(unit=hamlet)

    (line,) = with_suggestions(match_queue(administrator), administrator)

    assert (line.place, line.cause_label) == (hamlet, "the place is not in the plan of this round")
    assert [(one.label, one.reason) for one in line.suggestions] == [
        ("Zhandosov, Karasay", "lies above it and is planned")
    ]


def test_queue_suggests_people_by_code_name_account_and_assignment(target, form, group, enumerator, administrator):
    EnumeratorFactory(code="E77", full_name="Bolat Serik", home_unit=enumerator.home_unit, kobo_username="Bolat")
    for who, account in (("E01X", ""), ("Айгерім", ""), ("Aigerin Demo", ""), ("", "bolat")):
        make_submission(
            target, form=form, typed_person=who, submitted_by=account, focus_group=group, day=date(2022, 11, 20)
        )

    found = {typed: suggested for _cause, typed, _count, suggested in lines(administrator)}

    there = f"; is assigned to {group.code}"
    assert found == {
        "E01X": [("Aigerim Demo (E01)", f"the code differs in one character{there}")],
        "Айгерім": [("Aigerim Demo (E01)", f"has a name like this{there}")],
        "Aigerin Demo": [("Aigerim Demo (E01)", f"has a name that is one slip away{there}")],
        "bolat": [
            ("Bolat Serik (E77)", "has a name like this"),
            ("Aigerim Demo (E01)", f"is assigned to {group.code}"),
        ],
    }


def test_queue_of_a_coordinator_has_the_own_region_alone(
    lost, target, enumerator, other_village, coordinator, other_coordinator, stranger
):
    lost(place="Abai", enumerator=enumerator)
    lost(place="Abai", enumerator=EnumeratorFactory(code="E60", home_unit=other_village))

    assert [[line.count for line in match_queue(user)] for user in (coordinator, other_coordinator, stranger)] == [
        [1], [1], [],
    ]  # fmt: skip
    assert lines(other_coordinator) == [("unknown_place", "Abai", 1, [])]


def test_queue_says_what_is_settled_already(lost, target, enumerator, administrator):
    lost(place="Zhandossov", enumerator=enumerator)
    alias = MatchAlias.objects.create(
        round=target.round, kind="place", typed="Zhandossov", key="žandosov", target=target
    )

    (line,) = with_suggestions(match_queue(administrator), administrator)

    assert line.alias == alias


def test_queue_costs_the_same_for_one_line_and_for_three(lost, group, enumerator, administrator):
    def count():
        with CaptureQueriesContext(connection) as made:
            found = with_suggestions(match_queue(administrator), administrator)
        return len(made), len(found)

    waiting(administrator)  # the scope is read once for all
    lost(place="Zhandossov", code="AA-AAAA", enumerator=enumerator)
    before = count()
    for place in ("Tausamaly", "Abai"):
        lost(place=place, code="AA-AAAB", enumerator=EnumeratorFactory())

    after = count()
    assert (before[1], after[1]) == (1, 3)
    assert (before[0] == after[0], after[0] <= 14) == (True, True)


def test_choices_are_found_in_any_script_among_what_is_planned(lost, group, enumerator, district, administrator):
    unplanned = AdminUnitFactory(parent=district, names={"en": "Zhandosova"})
    follow_names([unplanned])
    lost(place="x", enumerator=enumerator)
    lost(code="ZZ-ZZZ9", problem="unknown_code", enumerator=enumerator)
    lost(place="y", who="Somebody")
    by_kind = {line.kind: line for line in match_queue(administrator)}

    found = {
        kind: [one.label for one in choices(by_kind[kind], text, administrator)]
        for kind, text in (("place", "Жандосов"), ("focus_group", "жандосов"), ("person", "Айгерим"))
    }

    assert found == {
        "place": ["Zhandosov, Karasay"],
        "focus_group": [f"{group.code}, Zhandosov, 20 Nov 2022"],
        "person": ["Aigerim Demo (E01)"],
    }


# --- forms that cannot be read


def test_unreadable_says_what_is_wrong_and_what_no_mapping_mends(target, form, administrator, other_coordinator):
    wrong, broken = make_submission(target, form=form), make_submission(target, form=form, answers={"_id": "x"})
    KoboSubmission.objects.update(is_refused=True)
    for one, problem in ((wrong, {"code": "not_a_number", "path": "men", "value": "many"}), (broken, None)):
        one.current_revision.problems = [problem or {"code": "wrong_type", "path": "_id", "value": "x"}]
        one.current_revision.raw = '{"_id": "x"}' if problem is None else whole(one)
        one.current_revision.save()

    rows = with_reasons(unreadable(administrator))

    assert [(one.submission, one.problems, one.is_hopeless) for one in rows] == [
        (broken, ("_id “x” has the wrong type",), True),
        (wrong, ("men “many” is not a number",), False),
    ]
    assert forms_with_unreadable(administrator) == [(form, 2)]
    assert (list(unreadable(other_coordinator)), forms_with_unreadable(other_coordinator)) == ([], [])


def whole(one):
    return (
        f'{{"_id": {one.kobo_id}, "_uuid": "u", "_xform_id_string": "a", "__version__": "v", "men": "many",'
        ' "meta/rootUuid": "uuid:u", "_submission_time": "2023-01-30T09:00:00"}'
    )


# --- phones


def test_phones_tell_the_last_form_its_version_the_clock_and_how_many_phones(target, form, enumerator, administrator):
    old = KoboFormVersion.objects.create(form=form, uid="v1", first_seen_at=AT, deployed_at=AT)
    KoboFormVersion.objects.create(form=form, uid="v2", first_seen_at=AT, deployed_at=AT + timedelta(days=3))
    for device, minutes, trial in (("one", 15, False), ("two", 180, False), ("two", 0, True)):
        row = make_submission(target, form=form, enumerator=enumerator, device_id=device, is_trial=trial)
        revision = row.current_revision
        revision.form_version = old
        revision.save()
        revision.flags.create(check_code="not_certified", severity="warning")
        if minutes:
            revision.flags.create(
                check_code="clock_wrong", severity="warning", params={"how": "ahead", "minutes": minutes}
            )
    last = KoboSubmission.objects.get(kobo_id=2)
    KoboSubmission.objects.filter(pk=last.pk).update(submitted_at=AT + timedelta(days=90))

    (phone,) = phones_of(administrator)

    assert (phone.person, phone.last, phone.version, phone.is_outdated) == (enumerator, last, old, True)
    assert (phone.clock_words, phone.phones, phone.version_words) == ("3 hours ahead", 2, "of 20 Nov 2022")
    assert (phone.forms, phone.trials, phone.uncertified, phone.outdated) == (3, 1, 3, 0)
    assert phone_of(enumerator) == phone
    assert phone_of(EnumeratorFactory()) is None


def test_phones_of_a_coordinator_are_those_of_the_own_region_and_cost_the_same(
    target, form, enumerator, coordinator, other_coordinator
):
    def count():
        with CaptureQueriesContext(connection) as made:
            found = phones_of(coordinator, round_id=form.round_id)
        return len(made), len(found)

    make_submission(target, form=form, enumerator=enumerator)
    waiting(coordinator)  # the scope is read once for all
    before = count()
    for _unused in range(2):
        make_submission(target, form=form, enumerator=EnumeratorFactory())

    assert (before, count()) == ((before[0], 1), (before[0], 3))
    assert phones_of(other_coordinator) == []
