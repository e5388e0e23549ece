"""What a spelling means, said once: applied to all that is typed alike, taken back, refused; and reading again."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from assessments.models import KoboForm, KoboSubmission, MatchAlias, QualityFlag, SessionAssignment
from assessments.selectors.typed_words import alias_key
from assessments.services.assignments import assign_enumerator
from assessments.services.focus_groups import plan_focus_group
from assessments.services.matching import match_submission
from assessments.services.replay import read_all_again, replay_one, replay_refused
from assessments.services.rereading import reread
from assessments.services.review import approve_submission
from assessments.services.settling import settle, take_back
from dtm_ops.common.errors import Refused
from dtm_ops.records.models import Receipt
from tests.concurrently import at_once
from tests.factories.assessments import RoundTargetFactory
from tests.factories.training import EnumeratorFactory
from tests.practice import FIELD_DAY, sync
from training.models import TrainingHalfDay
from training.services.merging import merge_people

pytestmark = pytest.mark.django_db


@pytest.fixture
def group(target, enumerator):
    at = datetime(2022, 11, 20, 5, tzinfo=UTC)
    found = plan_focus_group(target, starts_at=at, ends_at=at + timedelta(hours=2))
    assign_enumerator(found, enumerator)
    return found


def state(form):
    """What reading decides, of every row."""
    rows = KoboSubmission.objects.filter(form=form).order_by("kobo_id")
    flags = QualityFlag.objects.filter(revision__submission__form=form).order_by("revision", "check_code")
    return (
        list(
            rows.values_list(
                "kobo_id", "match_state", "match_problem", "target", "focus_group", "enumerator", "unit", "is_trial",
                "is_refused", "day", "typed_person", "typed_place", "typed_focus_group", "current_revision__problems",
            )
        ),
        list(flags.values_list("revision__submission__kobo_id", "check_code", "severity", "params")),
    )  # fmt: skip


def matches(form):
    """By Kobo id: state, whether a target, whether a focus group, the person's code."""
    rows = KoboSubmission.objects.filter(form=form).order_by("kobo_id")
    return [
        (one.match_state, one.target_id, one.focus_group_id, one.enumerator.code if one.enumerator else None)
        for one in rows.select_related("enumerator")
    ]


# --- how a form finds its target and its person


CASES = {
    "by code": ({"code": "{code}", "place": "nowhere"}, ("by_code", True, True, "E01")),
    "by code in Cyrillic capitals, blanks and small letters": (
        {"code": " {small} ", "place": None},
        ("by_code", True, True, "E01"),
    ),
    "by person, place and day": ({}, ("by_place", True, True, "E01")),
    "by place with one focus group": ({"who": "nobody", "day": "2022-11-21"}, ("by_place", True, True, None)),
    "by place spelled as settled": ({"place": "ЖАНДОСОВА"}, ("by_place", True, True, "E01")),
    "by code as settled": ({"code": "K7 - 0000", "place": None}, ("by_code", True, True, "E01")),
    "person as settled": ({"who": "Айгерим"}, ("by_place", True, True, "E01")),
    "nothing known": ({"place": "Nowhere", "who": "Nobody"}, ("unmatched", False, False, None)),
    "place without a target": ({"place": "{district}"}, ("unmatched", False, False, "E01")),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_matching_by_case(case, form, submit, group, target, enumerator, district, administrator):
    answers, (match, has_target, has_group, person) = CASES[case]
    words = {"code": group.code, "small": group.code.lower().replace("-", ""), "district": district.unit_id}
    settle(target.round, "place", "Жандосова", target, by=administrator)
    settle(target.round, "focus_group", "k7-0000", group, by=administrator)
    settle(target.round, "person", "Aigerim", enumerator, by=administrator)

    submit(**{name: value.format(**words) if value else value for name, value in answers.items()})
    sync(form)

    found = (match, target.pk if has_target else None, group.pk if has_group else None, person)
    assert matches(form) == [found]


def test_matching_by_account_asks_who_had_it_on_that_day(form, kobo, answer, group, village):
    before, now = EnumeratorFactory(code="E07", home_unit=village), EnumeratorFactory(code="E08", home_unit=village)
    before.identities.create(kind="kobo", value="phone3", valid_to=date(2022, 11, 19))
    now.identities.create(kind="kobo", value="phone3", valid_from=date(2022, 11, 20))
    for day in ("2022-11-19", "2022-11-20"):
        kobo.submit(form.asset_uid, answer(who=None, day=day), submitted_by="phone3")

    sync(form)

    assert [person for *_match, person in matches(form)] == ["E07", "E08"]


def test_matching_by_the_name_that_the_phone_has(form, kobo, answer, village):
    EnumeratorFactory(code="E07", home_unit=village, kobo_username="aliya")
    kobo.submit(form.asset_uid, answer(who=None, username="aliya"), submitted_by=None)

    sync(form)

    assert [person for *_match, person in matches(form)] == ["E07"]


def test_matching_of_several_focus_groups_takes_the_persons_of_that_day(form, submit, target, group, village):
    other = plan_focus_group(target, starts_at=group.starts_at, ends_at=group.ends_at)
    somebody = EnumeratorFactory(code="E09", home_unit=village)
    SessionAssignment.objects.create(focus_group=other, enumerator=somebody)
    for person, day in (("E01", FIELD_DAY), ("E09", FIELD_DAY), ("E09", "2022-11-22"), ("nobody", FIELD_DAY)):
        submit(who=person, day=day)

    sync(form)

    assert [found for _match, _target, found, _person in matches(form)] == [group.pk, other.pk, None, None]


def test_matching_of_a_merged_person_finds_the_entry_that_stays(
    form, submit, target, enumerator, village, administrator
):
    double = EnumeratorFactory(code="E77", home_unit=village)
    settle(target.round, "person", "Aika", double, by=administrator)
    merge_people(enumerator, double, by=administrator, reason="One person")
    submit(who="E77")
    submit(who="Айка")

    sync(form)

    assert [person for *_match, person in matches(form)] == ["E01", "E01"]


@pytest.mark.parametrize(
    ("day", "is_trial"), [("2022-11-13", True), ("2022-11-14", False), ("2022-11-25", True), ("2022-11-26", False)]
)
def test_trial_before_the_round_opens_and_on_a_training_day(form, submit, training_day, day, is_trial):
    submit(day=day)

    sync(form)

    one = KoboSubmission.objects.get()
    assert (one.is_trial, KoboSubmission.objects.counted().count()) == (is_trial, 0 if is_trial else 1)


# --- settling


def test_settle_matches_all_that_is_typed_alike_and_what_comes_later(form, submit, target, administrator):
    for place in ("Zhandossov", "ЖАНДОСОВ", " жандосов", "Elsewhere"):
        submit(place=place)
    sync(form)

    settled = settle(target.round, "place", "Zhandossov", target, by=administrator)

    assert (settled.alike, settled.matched) == (3, 3)
    assert [match for match, *_rest in matches(form)] == ["by_place"] * 3 + ["unmatched"]
    submit(place="Жандосов")
    sync(form)
    assert [match for match, *_rest in matches(form)] == ["by_place"] * 3 + ["unmatched", "by_place"]
    alias, receipt = MatchAlias.objects.get(), Receipt.objects.get()
    assert (alias.typed, alias.target, alias.settled_by) == ("Zhandossov", target, administrator)
    assert (receipt.kind, len(receipt.lines), receipt.by) == ("spelling_settled", 3, administrator)


def test_settle_of_an_account_holds_where_the_form_names_nobody(form, kobo, answer, target, enumerator, administrator):
    for who, account in ((None, "Tablet 3"), (None, "tablet4"), ("Somebody", "Tablet 3")):
        kobo.submit(form.asset_uid, answer(who=who), submitted_by=account)
    sync(form)

    settled = settle(target.round, "person", "tablet 3", enumerator, by=administrator)

    assert (settled.alike, settled.matched) == (1, 1)
    assert [person for *_match, person in matches(form)] == ["E01", None, None]


def test_settle_a_place_for_the_forms_of_another_kind_means_the_same_place(form, submit, target, area, administrator):
    other = RoundTargetFactory(round=target.round, unit=target.unit, form_kind=area)
    submit(place="Zhandossov")
    sync(form)

    settle(target.round, "place", "Zhandossov", other, by=administrator)

    assert matches(form)[0][:2] == ("by_place", target.pk)


def test_settle_leaves_what_is_approved_and_what_was_matched_by_hand(
    form, submit, target, other_village, manager, administrator
):
    elsewhere = RoundTargetFactory(round=target.round, unit=other_village, form_kind=target.form_kind)
    by_hand, approved, _open = [submit(place="Zhandossov") for _unused in range(3)]
    sync(form)
    match_submission(KoboSubmission.objects.get(kobo_id=by_hand), elsewhere, by=administrator)
    match_submission(KoboSubmission.objects.get(kobo_id=approved), elsewhere, by=administrator)
    approve_submission(KoboSubmission.objects.get(kobo_id=approved), reviewer=manager)

    settled = settle(target.round, "place", "Zhandossov", target, by=administrator)

    assert settled.matched == 1
    assert [match[:2] for match in matches(form)] == [
        ("by_hand", elsewhere.pk),
        ("by_hand", elsewhere.pk),
        ("by_place", target.pk),
    ]


def refused(act):
    with pytest.raises(Refused) as caught:
        act()
    return caught.value.code


@pytest.mark.parametrize(
    ("kind", "typed", "code"),
    [
        ("place", "{unit}", "known"),
        ("focus_group", "{group}", "known"),
        ("person", "e01", "known"),
        ("place", "  ", "nothing_typed"),
        ("person", "Zhandossov", "other_kind"),
    ],
)
def test_settle_refuses_what_is_known_blank_or_of_another_kind(
    kind, typed, code, target, group, enumerator, administrator
):
    meant = {"place": target, "focus_group": group, "person": enumerator}[kind] if code != "other_kind" else target
    words = typed.format(unit=target.unit.unit_id, group=group.code.lower())

    assert refused(lambda: settle(target.round, kind, words, meant, by=administrator)) == code
    assert (MatchAlias.objects.count(), Receipt.objects.count()) == (0, 0)


def test_settle_is_for_who_may_match_within_the_own_places(
    target, coordinator, other_coordinator, manager, stranger, enumerator
):
    for user in (other_coordinator, stranger, enumerator.user):
        assert refused(lambda user=user: settle(target.round, "place", "A", target, by=user)) == "not_allowed"
    assert MatchAlias.objects.count() == 0

    for number, user in enumerate((coordinator, manager)):
        settle(target.round, "place", f"Place {number}", target, by=user)
    alias = MatchAlias.objects.first()
    assert refused(lambda: take_back(alias, by=other_coordinator)) == "not_allowed"
    assert MatchAlias.objects.count() == 2


def test_settle_what_other_regions_typed_too_is_for_who_sees_them(
    form, submit, target, coordinator, other_village, administrator
):
    EnumeratorFactory(code="E33", home_unit=other_village)
    submit(place="Abai")
    submit(place="Абай", who="E33")
    sync(form)

    assert refused(lambda: settle(target.round, "place", "Abai", target, by=coordinator)) == "other_regions"
    assert MatchAlias.objects.count() == 0
    assert settle(target.round, "place", "Abai", target, by=administrator).matched == 2


def test_settle_after_somebody_else_is_told_who_was_quicker(target, administrator, coordinator):
    settle(target.round, "place", "Zhandossov", target, by=administrator)

    assert refused(lambda: settle(target.round, "place", "ЖАНДОСОВ", target, by=coordinator)) == "settled_already"
    assert MatchAlias.objects.get().settled_by == administrator


def test_settle_and_take_back_of_another_round_is_refused(target, administrator):
    other = RoundTargetFactory(round__code="2023-Q1", form_kind=target.form_kind)

    assert refused(lambda: settle(target.round, "place", "A", other, by=administrator)) == "other_round"
    assert MatchAlias.objects.count() == 0


WORDS = st.sampled_from(["Zhandossov", "ЖАНДОСОВ", "Абай", "E01", "Aigerim", "айгерим", "K7-0000", "к7 0000", None])


@settings(max_examples=12, phases=[Phase.reuse, Phase.generate])
@given(
    rows=st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=6),
    kind=st.sampled_from(["person", "place", "focus_group"]),
    typed=st.sampled_from(["zhandosov", "Abai", "AIGERIM", "K70000"]),
)
def test_settle_then_take_back_is_as_before_and_equals_a_fresh_sync(
    rows, kind, typed, kobo, form, answer, target, group, enumerator, administrator
):
    meant = {"person": enumerator, "place": target, "focus_group": group}[kind]
    for place, who, code in rows:
        kobo.submit(form.asset_uid, answer(place=place, who=who, code=code), submitted_by="tablet")
    sync(form)
    before = state(form)

    alias = settle(target.round, kind, typed, meant, by=administrator).alias
    settled = state(form)
    assert (reread(form, KoboSubmission.objects.all()), state(form)) == (0, settled)
    assert fresh_copy(form) == settled
    back = take_back(alias, by=administrator)

    assert (state(form), MatchAlias.objects.count()) == (before, 0)
    asked = [{"person": who or "tablet", "place": place, "focus_group": code}[kind] for place, who, code in rows]
    assert back.alike == sum(alias_key(kind, word or "") == alias_key(kind, typed) for word in asked)
    for kobo_id in kobo.ids(form.asset_uid):
        kobo.delete(kobo_id)
    forget(form)


def forget(form):
    """As if nothing had been synchronised yet."""
    KoboSubmission.objects.filter(form=form).update(current_revision=None)
    for one in KoboSubmission.objects.filter(form=form):
        one.revisions.all().delete()
    KoboSubmission.objects.filter(form=form).delete()
    KoboForm.objects.filter(pk=form.pk).update(swept_at=None)


def fresh_copy(form):
    forget(form)
    sync(form)
    return state(form)


# --- reading again


def test_replay_reads_what_the_mended_mapping_can_read(form, submit, target, administrator, coordinator):
    good, bad = submit(), submit(total=None, people="12", men="7", women="5")
    hopeless = submit(men="many")
    KoboForm.objects.filter(pk=form.pk).update(mapping=mapping(form, ["crowd"]))
    odd = submit(crowd="12 people", total=None)
    sync(form)
    form.refresh_from_db()
    refused_before = unread(form)
    KoboForm.objects.filter(pk=form.pk).update(mapping=mapping(form, ["total", "people"]))
    form.refresh_from_db()

    assert replay_refused(form, by=coordinator) == 1

    assert (refused_before, unread(form)) == ([hopeless, odd], [hopeless])
    assert KoboSubmission.objects.get(kobo_id=odd).current_revision.problems == []
    assert [good, bad] == [one.kobo_id for one in KoboSubmission.objects.filter(kobo_id__in=(good, bad)).reverse()]


def mapping(form, paths):
    first, *rest = form.mapping["figures"]
    return {**form.mapping, "figures": [{**first, "path": paths}, *rest]}


def unread(form):
    rows = KoboSubmission.objects.filter(form=form, is_refused=True).order_by("kobo_id")
    return list(rows.values_list("kobo_id", flat=True))


def test_replay_one_says_whether_it_can_be_read_now(form, submit, coordinator, other_coordinator):
    submit(men="many")
    sync(form)
    one = KoboSubmission.objects.get()

    assert replay_one(one, by=coordinator) is False
    assert refused(lambda: replay_one(one, by=other_coordinator)) == "not_allowed"
    KoboForm.objects.filter(pk=form.pk).update(mapping={**form.mapping, "figures": form.mapping["figures"][:1]})
    one = KoboSubmission.objects.get()
    assert replay_one(one, by=coordinator) is True
    assert refused(lambda: replay_one(one, by=coordinator)) == "not_refused"


def test_replay_of_a_form_reads_only_what_the_user_sees(form, submit, other_village, coordinator, other_coordinator):
    RoundTargetFactory(round=form.round, form_kind=form.form_kind, unit=other_village)
    submit(men="many")
    submit(men="many", place=other_village.unit_id)
    sync(form)
    KoboForm.objects.filter(pk=form.pk).update(mapping={**form.mapping, "figures": form.mapping["figures"][:1]})
    form.refresh_from_db()

    assert (replay_refused(form, by=other_coordinator), len(unread(form))) == (1, 1)
    assert (replay_refused(form, by=coordinator), len(unread(form))) == (1, 0)


def test_read_all_again_follows_a_corrected_training_day_but_for_what_is_approved(
    form, submit, target, sub_area, training_day, administrator, manager, coordinator
):
    submit(day="2022-11-25")
    submit(day="2022-11-26")
    approved = submit(day="2022-11-26", total="12", men="7", women="5")
    sync(form)
    approve_submission(KoboSubmission.objects.get(kobo_id=approved), reviewer=manager)
    TrainingHalfDay.objects.filter(day=training_day).update(day=date(2022, 11, 26))

    assert refused(lambda: read_all_again(form, by=coordinator)) == "not_allowed"
    assert read_all_again(form, by=administrator) == 2

    assert list(KoboSubmission.objects.order_by("kobo_id").values_list("is_trial", flat=True)) == [False, True, False]


def test_reading_twice_changes_nothing(form, submit, target, administrator):
    for answers in ({}, {"place": "x"}, {"men": "many"}, {"who": None}, {"day": "2022-11-01"}):
        submit(**answers)
    sync(form)
    before = state(form)

    assert [read_all_again(form, by=administrator) for _unused in range(2)] == [0, 0]
    assert state(form) == before


@pytest.mark.django_db(transaction=True)
def test_reading_again_keeps_a_row_apart_that_the_database_refuses(
    form, submit, target, village, enumerator, administrator
):
    """Stands for whatever no program foresees: PostgreSQL takes no form of one person."""
    odd = EnumeratorFactory(code="E13", home_unit=village)
    submit()
    bad = submit(who="Somebody")
    submit(place="Zhandossov")
    sync(form)
    settle(target.round, "place", "Zhandossov", target, by=administrator)
    with connection.cursor() as cursor:
        cursor.execute(
            f"ALTER TABLE assessments_kobosubmission ADD CONSTRAINT picky CHECK (enumerator_id <> {odd.pk}) NOT VALID"
        )
    try:
        settled = settle(target.round, "person", "Somebody", odd, by=administrator)
        read_all_again(form, by=administrator)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE assessments_kobosubmission DROP CONSTRAINT picky")

    assert (settled.matched, unread(form)) == (0, [bad])
    assert KoboSubmission.objects.get(kobo_id=bad).current_revision.problems[0]["code"] == "cannot_be_stored"
    assert replay_refused(form, by=administrator) == 1
    assert [person for *_match, person in matches(form)] == ["E01", "E13", "E01"]


# --- several at once


@pytest.mark.django_db(transaction=True)
def test_two_who_settle_the_same_at_once_one_wins_and_the_other_is_told(
    form, submit, target, other_village, administrator, manager
):
    other = RoundTargetFactory(round=target.round, unit=other_village, form_kind=target.form_kind)
    submit(place="Zhandossov")
    sync(form)

    outcomes = at_once(
        lambda: settle(target.round, "place", "Zhandossov", target, by=administrator),
        lambda: settle(target.round, "place", "ЖАНДОСОВ", other, by=manager),
    )

    told = [one for one in outcomes if isinstance(one, Refused)]
    assert ([one.code for one in told], MatchAlias.objects.count()) == (["settled_already"], 1)
    assert KoboSubmission.objects.get().target == MatchAlias.objects.get().target


@pytest.mark.django_db(transaction=True)
def test_settle_while_a_sync_stores_leaves_no_form_behind(form, submit, target, administrator):
    """The sync made its lists before the spelling was settled, and stores rows after."""
    for _unused in range(30):
        submit(place="Zhandossov")
    alias = []

    def settle_once(run):
        if not alias:
            alias.append(settle(target.round, "place", "Жандосов", target, by=administrator))

    sync(form, page_size=10, on_page=settle_once)

    assert {match[:2] for match in matches(form)} == {("by_place", target.pk)}
    take_back(alias[0].alias, by=administrator)
    assert {match[:2] for match in matches(form)} == {("unmatched", None)}


@pytest.mark.django_db(transaction=True)
def test_settle_and_sync_at_once_end_as_one_after_the_other(form, submit, target, administrator):
    for _unused in range(40):
        submit(place="Zhandossov")

    outcomes = at_once(
        lambda: sync(form, page_size=5),
        lambda: settle(target.round, "place", "Zhandossov", target, by=administrator),
    )

    assert [type(one).__name__ for one in outcomes] == ["SyncRun", "Settled"]
    assert {match[:2] for match in matches(form)} == {("by_place", target.pk)}
