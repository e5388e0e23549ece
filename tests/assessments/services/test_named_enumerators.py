"""Who filled in one very form, said by hand: where it names nobody, or the wrong person."""

import pytest
from django.utils import timezone

from assessments.models import KoboSubmission, MatchAlias, QualityFlag, SessionAssignment
from assessments.selectors.match_queue import likely_enumerators, match_queue
from assessments.selectors.typed_words import said_of
from assessments.services.focus_groups import plan_focus_group
from assessments.services.matching import match_submission
from assessments.services.review import approve_submission
from assessments.services.settling import name_enumerator, take_back
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

    assert person(nameless) == "E09"
    assert "unknown_person" not in flags()
    assert "not_certified" in flags()
    assert match_queue(coordinator) == []
    said = said_of(nameless)
    assert (said.enumerator, said.settled_by, said.typed) == (somebody, coordinator, str(nameless.kobo_id))


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


def test_naming_again_replaces_and_taking_back_asks_the_form_again(nameless, somebody, enumerator, coordinator):
    name_enumerator(nameless, somebody, by=coordinator)
    name_enumerator(nameless, enumerator, by=coordinator)
    assert (person(nameless), MatchAlias.objects.count()) == ("E01", 1)

    taken = take_back(MatchAlias.objects.get(), by=coordinator)

    assert (person(nameless), taken.matched) == (None, 1)
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


def approve(submission, manager):
    approve_submission(submission, reviewer=manager)


def delete(submission, manager):
    KoboSubmission.objects.update(deleted_at=timezone.now())


def break_it(submission, manager):
    KoboSubmission.objects.update(is_refused=True)


@pytest.mark.parametrize(("before", "code"), [(approve, "approved"), (delete, "deleted"), (break_it, "unreadable")])
def test_refused_and_nothing_is_written(nameless, somebody, administrator, manager, before, code):
    before(nameless, manager)

    with pytest.raises(Refused) as refused:
        name_enumerator(nameless, somebody, by=administrator)

    assert refused.value.code == code
    assert (person(nameless), MatchAlias.objects.count()) == (None, 0)


def test_refused_outside_ones_own_places(nameless, somebody, other_coordinator, coordinator, other_village):
    stranger = EnumeratorFactory(home_unit=other_village)
    for who, by in ((somebody, other_coordinator), (stranger, coordinator)):
        with pytest.raises(Refused) as refused:
            name_enumerator(nameless, who, by=by)
        assert refused.value.code == "not_allowed"
    assert (person(nameless), MatchAlias.objects.count()) == (None, 0)


def test_a_very_long_id_of_a_form_is_named_too(form, kobo, answer, somebody, coordinator):
    for end in "ab":
        kobo.submit(form.asset_uid, answer(who=None), submitted_by=None, uuid="x" * 240 + end)
    sync(form)
    first, second = KoboSubmission.objects.order_by("kobo_id")

    name_enumerator(first, somebody, by=coordinator)
    sync(form, full=True)
    assert (person(first), person(second)) == ("E09", None)
    take_back(MatchAlias.objects.get(), by=coordinator)
    assert person(first) is None


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
def test_two_who_name_different_people_leave_one_answer(nameless, somebody, enumerator, coordinator):
    def name(who):
        return lambda: name_enumerator(KoboSubmission.objects.get(), who, by=coordinator)

    at_once(name(somebody), name(enumerator))

    assert person(nameless) == MatchAlias.objects.get().enumerator.code
