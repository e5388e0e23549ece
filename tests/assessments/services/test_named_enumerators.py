"""Who filled in one very form, said by hand: where it names nobody, or the wrong person."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from assessments.models import KoboSubmission, QualityFlag, SessionAssignment
from assessments.selectors.match_queue import likely_enumerators, match_queue
from assessments.selectors.open_work import open_work
from assessments.services.focus_groups import plan_focus_group
from assessments.services.leaving import leave
from assessments.services.matching import match_submission, name_enumerator
from assessments.services.review import approve_submission, return_submission
from dtm_ops.common.errors import Refused
from tests.concurrently import at_once
from tests.factories.training import CertificateFactory, EnumeratorFactory
from tests.practice import sync
from training.services.merging import merge_people

pytestmark = pytest.mark.django_db


@pytest.fixture
def nameless(form, kobo, answer):
    """A form that names nobody, from a link that needs no account."""
    kobo.submit(form.asset_uid, answer(who=None), submitted_by=None)
    sync(form)
    return KoboSubmission.objects.get()


@pytest.fixture
def named_wrongly(form, submit, enumerator):
    submit()
    sync(form)
    return KoboSubmission.objects.get()


@pytest.fixture
def somebody(village):
    return EnumeratorFactory(code="E09", home_unit=village)


def flags():
    return set(QualityFlag.objects.order_by("pk").values_list("check_code", flat=True))


def person(submission):
    submission.refresh_from_db()
    return submission.enumerator.code if submission.enumerator else None


def test_a_form_that_names_nobody_gets_its_person_and_waits_no_more(nameless, somebody, coordinator):
    assert [line.cause for line in match_queue(coordinator)] == ["no_person"]
    assert "unknown_person" in flags()

    name_enumerator(nameless, somebody, by=coordinator)

    assert (person(nameless), nameless.enumerator_named_by) == ("E09", coordinator)
    assert "unknown_person" not in flags()
    assert "not_certified" in flags()
    assert match_queue(coordinator) == []


def test_it_is_judged_by_the_certificate_of_who_is_named(nameless, somebody, sub_area, coordinator):
    CertificateFactory(enumerator=somebody, form_kind=sub_area, issued_on=nameless.day)

    name_enumerator(nameless, somebody, by=coordinator)

    assert not {"unknown_person", "not_certified"} & flags()


@pytest.mark.parametrize("full", [False, True])
def test_it_holds_through_edits_and_syncs(nameless, somebody, coordinator, form, kobo, full):
    name_enumerator(nameless, somebody, by=coordinator)
    before = nameless.uuid

    kobo.edit(nameless.kobo_id, {"total": "11"})
    sync(form, full=full)

    assert (person(nameless), nameless.uuid != before) == ("E09", True)
    assert "unknown_person" not in flags()


def test_it_goes_before_the_name_in_the_form_and_touches_no_other_form(form, submit, enumerator, somebody, coordinator):
    first, second = submit(), submit()
    sync(form)
    row = KoboSubmission.objects.get(kobo_id=first)

    name_enumerator(row, somebody, by=coordinator)

    assert (person(row), person(KoboSubmission.objects.get(kobo_id=second))) == ("E09", "E01")


def test_naming_again_replaces_and_blank_asks_the_form_again(nameless, somebody, enumerator, coordinator, manager):
    name_enumerator(nameless, somebody, by=coordinator)
    name_enumerator(nameless, enumerator, by=manager)
    assert (person(nameless), nameless.enumerator_named_by) == ("E01", manager)

    name_enumerator(nameless, None, by=coordinator)

    assert (person(nameless), nameless.enumerator_named_by) == (None, None)
    assert "unknown_person" in flags()


def test_a_target_that_was_chosen_by_hand_stays_and_the_person_comes(nameless, somebody, target, coordinator, manager):
    match_submission(nameless, target, by=manager)

    name_enumerator(nameless, somebody, by=coordinator)

    assert (person(nameless), nameless.match_state, nameless.target) == ("E09", "by_hand", target)


def test_a_target_that_was_chosen_by_hand_does_not_keep_the_person_away(form, submit, target, village, manager):
    submit(who="E55", place="nowhere")
    sync(form)
    row = KoboSubmission.objects.get()
    match_submission(row, target, by=manager)
    EnumeratorFactory(code="E55", home_unit=village)

    sync(form)

    assert (person(row), row.match_state, row.target) == ("E55", "by_hand", target)


def test_a_person_who_was_merged_stands_for_the_entry_that_stays(nameless, somebody, enumerator, administrator, form):
    name_enumerator(nameless, somebody, by=administrator)
    merge_people(enumerator, somebody, by=administrator, reason="One person")
    sync(form, full=True)
    assert person(nameless) == "E01"

    somebody.refresh_from_db()
    name_enumerator(nameless, somebody, by=administrator)
    assert person(nameless) == "E01"


def test_another_form_under_the_same_id_was_named_by_nobody(nameless, somebody, coordinator, form, kobo, answer):
    name_enumerator(nameless, somebody, by=coordinator)
    kobo.delete(nameless.kobo_id)
    kobo.submit(form.asset_uid, answer(who=None), submitted_by=None, kobo_id=nameless.kobo_id)

    sync(form)

    assert (person(nameless), nameless.enumerator_named_by) == (None, None)


# --- who leaves


@pytest.mark.parametrize("by_hand", [False, True])
def test_what_somebody_who_left_hands_over_stays_with_who_took_it(
    named_wrongly, somebody, enumerator, target, village, manager, coordinator, administrator, form, kobo, by_hand
):
    if by_hand:
        name_enumerator(named_wrongly, somebody, by=coordinator)
        match_submission(named_wrongly, target, by=manager)
    leaver = somebody if by_hand else enumerator
    return_submission(named_wrongly, reviewer=coordinator, reason="other", text="Once more")
    heir = EnumeratorFactory(code="E77", home_unit=village)

    hand_over(leaver, heir, by=administrator)
    kobo.edit(named_wrongly.kobo_id, {"total": "11"})
    sync(form)

    assert (person(named_wrongly), named_wrongly.review_status) == ("E77", "received")


def hand_over(leaver, heir, *, by):
    today = timezone.localdate()
    choices = {row.key: heir for row in open_work(leaver, today).rows if row.passes_on}
    leave(leaver, on=today, reason="Moved", by=by, choices=choices)


# --- a sync that lasts


@pytest.fixture
def edited(form, submit, kobo, enumerator, sub_area):
    """Three forms by somebody with a certificate, each edited at Kobo since; the second is what the tests are about."""
    CertificateFactory(enumerator=enumerator, form_kind=sub_area, issued_on="2022-11-01")
    ids = [submit() for _unused in range(3)]
    sync(form)
    assert flags() == set()
    for one in ids:
        kobo.edit(one, {"total": "11"})
    return KoboSubmission.objects.get(kobo_id=ids[1])


class BrokenOff(Exception):
    pass


@pytest.mark.parametrize("breaks_off", [False, True])
def test_it_holds_against_a_sync_that_began_before(edited, somebody, coordinator, form, breaks_off):
    def name_then_break(run):
        if run.edited == 1:
            name_enumerator(edited, somebody, by=coordinator)
        elif breaks_off and run.edited == 2:
            raise BrokenOff

    if breaks_off:
        with pytest.raises(BrokenOff):
            sync(form, full=True, page_size=1, on_page=name_then_break)
        assert person(edited) == "E09"
        sync(form)
    else:
        sync(form, full=True, page_size=1, on_page=name_then_break)

    assert person(edited) == "E09"
    judged = QualityFlag.objects.filter(revision__submission=edited.pk, revision=edited.current_revision_id)
    assert "not_certified" in set(judged.values_list("check_code", flat=True))


# --- refusals


def approve(submission, manager):
    approve_submission(submission, reviewer=manager)


def approve_once(submission, manager):
    KoboSubmission.objects.update(review_status="approved_first")


def delete(submission, manager):
    KoboSubmission.objects.update(deleted_at=timezone.now())


def break_it(submission, manager):
    KoboSubmission.objects.update(is_refused=True)


@pytest.mark.parametrize(
    ("before", "code"),
    [(approve, "approved"), (approve_once, "approved"), (delete, "deleted"), (break_it, "unreadable")],
)
def test_refused_and_nothing_is_written(nameless, somebody, administrator, manager, before, code):
    before(nameless, manager)

    with pytest.raises(Refused) as refused:
        name_enumerator(nameless, somebody, by=administrator)

    assert refused.value.code == code
    assert (person(nameless), nameless.enumerator_named_by) == (None, None)


def test_refused_outside_ones_own_places(nameless, somebody, other_coordinator, coordinator, other_village):
    stranger = EnumeratorFactory(home_unit=other_village)
    for who, by in ((somebody, other_coordinator), (stranger, coordinator), (None, other_coordinator)):
        with pytest.raises(Refused) as refused:
            name_enumerator(nameless, who, by=by)
        assert refused.value.code == "not_allowed"
    assert (person(nameless), nameless.enumerator_named_by) == (None, None)


def test_nobody_passes_their_own_form_on_to_approve_it(named_wrongly, enumerator, somebody, coordinator):
    enumerator.user = coordinator
    enumerator.save()

    with pytest.raises(Refused) as refused:
        name_enumerator(named_wrongly, somebody, by=coordinator)

    assert refused.value.code == "own_submission"
    assert person(named_wrongly) == "E01"


def test_an_approval_does_not_stand_on_another_person_than_was_shown(named_wrongly, somebody, coordinator, manager):
    shown = KoboSubmission.objects.get()
    name_enumerator(named_wrongly, somebody, by=coordinator)

    with pytest.raises(Refused):
        approve_submission(shown, reviewer=manager)

    assert KoboSubmission.objects.get().review_status == "received"


def test_the_database_refuses_a_naming_of_nobody(nameless, coordinator):
    with pytest.raises(IntegrityError, match="submission_named_has_enumerator"), transaction.atomic():
        KoboSubmission.objects.update(enumerator_named_by=coordinator)


# --- the rest


def test_whoever_is_assigned_stands_first(nameless, target, somebody, enumerator):
    assert likely_enumerators(nameless) == set()
    SessionAssignment.objects.create(focus_group=plan_focus_group(target), enumerator=somebody)
    assert likely_enumerators(nameless) == {somebody.pk}
    group = plan_focus_group(target)
    SessionAssignment.objects.create(focus_group=group, enumerator=enumerator)
    assert likely_enumerators(nameless) == {somebody.pk, enumerator.pk}
    nameless.focus_group = group
    assert likely_enumerators(nameless) == {enumerator.pk}


@pytest.mark.django_db(transaction=True)
def test_two_who_name_different_people_leave_one_answer(nameless, somebody, enumerator, coordinator, manager):
    def name(who, by):
        return lambda: name_enumerator(KoboSubmission.objects.get(), who, by=by)

    at_once(name(somebody, coordinator), name(enumerator, manager))

    answers = {("E09", coordinator.pk), ("E01", manager.pk)}
    assert (person(nameless), nameless.enumerator_named_by_id) in answers


def test_a_quiet_sync_asks_no_more_where_many_are_named(form, kobo, answer, enumerator, somebody, coordinator):
    for _unused in range(3):
        kobo.submit(form.asset_uid, answer(), submitted_by=None)
    sync(form)
    sync(form)
    asked = []
    for row in KoboSubmission.objects.all():
        name_enumerator(row, somebody, by=coordinator)
        with CaptureQueriesContext(connection) as queries:
            sync(form)
        asked.append(len(queries))
    assert len(set(asked)) == 1


@settings(max_examples=15)
@given(st.lists(st.sampled_from(["name E09", "name E01", "blank", "edit", "sync", "full"]), max_size=8))
def test_whatever_happens_the_last_who_was_named_stays(form, kobo, answer, somebody, enumerator, coordinator, steps):
    people = {"E09": somebody, "E01": enumerator}
    kobo_id = kobo.submit(form.asset_uid, answer(who="E01"), submitted_by=None)
    sync(form)
    row, expected = KoboSubmission.objects.get(kobo_id=kobo_id), "E01"
    for number, step in enumerate(steps):
        if step.startswith("name"):
            expected = step.removeprefix("name ")
            name_enumerator(row, people[expected], by=coordinator)
        elif step == "blank":
            expected = "E01"
            name_enumerator(row, None, by=coordinator)
        elif step == "edit":
            kobo.edit(kobo_id, {"total": f"{20 + number}"})
        else:
            sync(form, full=step == "full")
        assert person(row) == expected
    sync(form)
    assert person(row) == expected
