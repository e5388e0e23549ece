"""Rounds, targets and focus groups on the desk."""

from datetime import UTC, date, datetime

import pytest

from assessments.models import AssessmentRound, FocusGroupSession, RoundTarget, SessionAssignment
from assessments.services.assignments import assign_enumerator
from assessments.services.focus_groups import plan_focus_group
from dtm_ops.records.models import StatusChange
from tests.factories.assessments import AssessmentRoundFactory, RoundTargetFactory
from tests.factories.training import EnumeratorFactory

ROUNDS = "/admin/assessments/assessmentround/"
TARGETS = "/admin/assessments/roundtarget/"
GROUPS = "/admin/assessments/focusgroupsession/"
START, END = datetime(2022, 12, 1, 9, tzinfo=UTC), datetime(2022, 12, 1, 11, tzinfo=UTC)


@pytest.fixture
def target(village, sub_area):
    return RoundTargetFactory(unit=village, form_kind=sub_area)


@pytest.fixture
def group(target):
    return plan_focus_group(target, starts_at=START, ends_at=END)


def press(client, address, row, verb, **asked):
    return client.post(f"{address}{row.pk}/do/{verb}/", {"confirmed": "1", **asked})


def messages_of(client, address):
    return [str(message) for message in client.get(address).context["messages"]]


def changes():
    return list(StatusChange.objects.values_list("old", "new", "text"))


def going(group):
    return [one.enumerator for one in group.assignments.active()]


@pytest.mark.parametrize(
    ("role", "status"), [("administrator", 302), ("manager", 302), ("coordinator", 403), ("enumerator", 302)]
)
def test_round_is_opened_by_managers_and_administrators(request, client, target, role, status):
    AssessmentRound.objects.update(status="planned")
    person = request.getfixturevalue(role)
    client.force_login(getattr(person, "user", person))

    answer = press(client, ROUNDS, target.round, "open")

    opened = role in ("administrator", "manager")
    assert answer.status_code == status
    assert AssessmentRound.objects.get().status == ("open" if opened else "planned")
    assert changes() == ([("planned", "open", "")] if opened else [])


def test_round_without_targets_is_not_opened_and_the_desk_says_why(client, manager):
    row = AssessmentRoundFactory(status="planned")
    client.force_login(manager)

    press(client, ROUNDS, row, "open")

    assert AssessmentRound.objects.get().status == "planned"
    assert messages_of(client, ROUNDS) == [
        "Open the round: done for 0 of 1. Skipped: 1 – The round has no targets yet."
    ]


def test_round_form_keeps_texts_of_other_languages_and_writes_no_status(client, manager, target):
    AssessmentRound.objects.update(names={"en": "Old", "fr": "Ancien"}, status="open")
    client.force_login(manager)
    posted = {
        "component": "mobility_tracking", "number": 1, "names_0": "New", "names_1": "", "names_2": "",
        "remarks_0": "A remark " * 60, "remarks_1": "", "remarks_2": "", "status": "closed",
        **{name: str(getattr(target.round, name)) for name in (
            "reporting_from", "reporting_to", "fieldwork_from", "fieldwork_to", "reference_date", "counted_since",
        )},
        "reference_year": 2022, "regions-TOTAL_FORMS": 0, "regions-INITIAL_FORMS": 0,
    }  # fmt: skip
    posted = {
        key.replace("_0", "_en").replace("_1", "_ru").replace("_2", "_kk"): value for key, value in posted.items()
    }

    answer = client.post(f"{ROUNDS}{target.round_id}/change/", posted)

    row = AssessmentRound.objects.get()
    assert answer.status_code == 302, answer.context["adminform"].errors
    assert (row.names, row.status) == ({"en": "New", "fr": "Ancien"}, "open")
    assert row.remarks == {"en": ("A remark " * 60).strip()}


def test_target_is_excluded_with_a_reason_and_opened_again(client, manager, target):
    client.force_login(manager)

    refused = press(client, TARGETS, target, "exclude", reason=" ")
    assert refused.context["form"].errors == {"reason": ["This field is required."]}
    assert changes() == []

    press(client, TARGETS, target, "exclude", reason="Nobody lives there")
    target.refresh_from_db()
    assert (target.status, target.status_reason) == ("excluded", "Nobody lives there")

    press(client, TARGETS, target, "reopen")
    assert changes() == [("open", "excluded", "Nobody lives there"), ("excluded", "open", "")]


def test_target_is_inaccessible_until_a_day(client, manager, target):
    client.force_login(manager)

    press(client, TARGETS, target, "inaccessible", reason="Flood", until="2022-12-31")

    target.refresh_from_db()
    assert (target.status, target.status_until) == ("inaccessible", date(2022, 12, 31))


@pytest.mark.parametrize(("role", "status"), [("coordinator", 403), ("other_coordinator", 404)])
def test_coordinator_reads_targets_and_changes_none(request, client, target, role, status):
    client.force_login(request.getfixturevalue(role))

    assert press(client, TARGETS, target, "exclude", reason="No").status_code == status
    assert client.get(f"{TARGETS}add/").status_code == 403
    assert client.get(f"{TARGETS}import/").status_code == 403
    assert (RoundTarget.objects.get().status, changes()) == ("open", [])


def test_targets_are_filtered_by_bucket(client, manager, target, village, area):
    other = RoundTargetFactory(unit=village.parent, form_kind=area, status="excluded", status_reason="No")
    client.force_login(manager)

    def listed(**asked):
        return [row.pk for row in client.get(TARGETS, asked).context["cl"].result_list]

    assert listed(bucket="excluded") == [other.pk]
    assert listed(bucket="unassigned") == [target.pk]


@pytest.mark.parametrize(("role", "status"), [("administrator", 302), ("coordinator", 302), ("manager", 403)])
def test_focus_group_is_planned_by_who_may_plan(request, client, target, role, status):
    client.force_login(request.getfixturevalue(role))
    posted = {
        "target": target.pk, "starts_at_0": "2022-12-01", "starts_at_1": "09:00", "ends_at_0": "2022-12-01",
        "ends_at_1": "11:00", "travel_minutes": 30, "venue": "School", "language": "kk",
    }  # fmt: skip

    answer = client.post(f"{GROUPS}add/", posted)

    assert answer.status_code == status
    found = FocusGroupSession.objects.values_list("target", "venue", "language", "travel_minutes", "status")
    assert list(found) == ([(target.pk, "School", "kk", 30, "planned")] if status == 302 else [])


def test_focus_group_is_not_planned_elsewhere_in_a_closed_round_or_backwards(
    client, coordinator, other_district, target
):
    elsewhere = RoundTargetFactory(unit=other_district, form_kind=target.form_kind)
    client.force_login(coordinator)
    blank = {"travel_minutes": 0, "venue": "", "language": ""}
    backwards = {
        "starts_at_0": "2022-12-01", "starts_at_1": "11:00", "ends_at_0": "2022-12-01", "ends_at_1": "09:00",
    }  # fmt: skip

    assert client.post(f"{GROUPS}add/", {"target": elsewhere.pk, **blank}).status_code == 200
    answer = client.post(f"{GROUPS}add/", {"target": target.pk, **blank, **backwards})
    assert "the end after the start" in answer.content.decode()
    AssessmentRound.objects.update(status="closed")
    answer = client.post(f"{GROUPS}add/", {"target": target.pk, **blank})

    assert answer.context["adminform"].errors == {"target": ["Round 2022-Q4 is closed."]}
    assert FocusGroupSession.objects.count() == 0


def test_person_is_assigned_and_withdrawn(client, coordinator, group, enumerator):
    client.force_login(coordinator)

    press(client, GROUPS, group, "assign", enumerator=enumerator.pk, role="moderator")
    assert going(group) == [enumerator]
    assert messages_of(client, GROUPS) == [f"Aigerim Demo (E01) goes to {group.code}."]

    press(client, GROUPS, group, "withdraw", assignment=SessionAssignment.objects.get().pk)
    assert going(group) == []


def test_assign_page_offers_certified_people_first_and_only_own_ones(
    client, coordinator, group, enumerator, other_village
):
    uncertified = EnumeratorFactory(home_unit=enumerator.home_unit)
    EnumeratorFactory(home_unit=other_village)
    client.force_login(coordinator)

    form = client.get(f"{GROUPS}{group.pk}/do/assign/").context["form"]

    assert list(form.fields["enumerator"].widget.choices) == [
        ("", "---------"),
        ("Certified for this form", [(enumerator.pk, str(enumerator))]),
        ("Not certified for this form", [(uncertified.pk, str(uncertified))]),
    ]


def test_uncertified_person_is_refused_in_words_on_the_page(client, coordinator, group, enumerator):
    person = EnumeratorFactory(home_unit=enumerator.home_unit)
    client.force_login(coordinator)

    answer = press(client, GROUPS, group, "assign", enumerator=person.pk, role="moderator")

    assert "holds no certificate" in answer.context["form"].non_field_errors()[0]
    assert going(group) == []


def test_moving_onto_another_meeting_of_the_person_moves_nothing(client, coordinator, group, enumerator, target):
    other = plan_focus_group(target, starts_at=START.replace(day=2), ends_at=END.replace(day=2))
    for one in (group, other):
        assign_enumerator(one, enumerator)
    client.force_login(coordinator)

    def move(day):
        when = {
            "starts_at_0": f"2022-12-{day}", "starts_at_1": "15:00", "ends_at_0": f"2022-12-{day}",
            "ends_at_1": "17:00", "travel_minutes": 0,
        }  # fmt: skip
        return press(client, GROUPS, group, "move", **when)

    refused = move("02")
    group.refresh_from_db()
    assert "already in another focus group at that time" in refused.context["form"].non_field_errors()[0]
    assert group.starts_at == START

    assert move("03").status_code == 302
    group.refresh_from_db()
    assert group.starts_at == datetime(2022, 12, 3, 9, tzinfo=UTC)
    assert group.assignments.get().busy_from == group.starts_at


def test_focus_group_is_held_or_cancelled_with_a_reason(client, coordinator, group, enumerator, target):
    other = plan_focus_group(target)
    assign_enumerator(other, enumerator)
    client.force_login(coordinator)

    press(client, GROUPS, group, "held")
    press(client, GROUPS, other, "cancel", reason="Snow")

    assert changes() == [("planned", "held", ""), ("planned", "cancelled", "Snow")]
    assert going(other) == []


def test_focus_group_that_has_not_begun_was_not_held(client, coordinator, target):
    group = plan_focus_group(
        target, starts_at=datetime(2999, 1, 1, 9, tzinfo=UTC), ends_at=datetime(2999, 1, 1, 11, tzinfo=UTC)
    )
    client.force_login(coordinator)

    press(client, GROUPS, group, "held")

    assert messages_of(client, GROUPS) == ["Was held: done for 0 of 1. Skipped: 1 – The focus group has not begun yet."]
    assert changes() == []


@pytest.mark.parametrize("verb", ["assign", "withdraw", "move", "held", "cancel"])
@pytest.mark.parametrize(("role", "status"), [("manager", 403), ("other_coordinator", 404), ("stranger", 302)])
def test_wrong_person_does_nothing_to_a_focus_group(request, client, group, enumerator, verb, role, status):
    assign_enumerator(group, enumerator)
    client.force_login(request.getfixturevalue(role))
    asked = {"reason": "No", "enumerator": enumerator.pk, "role": "driver", "assignment": group.assignments.get().pk}

    assert press(client, GROUPS, group, verb, **asked).status_code == status

    group.refresh_from_db()
    assert (group.status, group.starts_at, going(group), changes()) == ("planned", START, [enumerator], [])


def test_status_in_the_posted_form_of_a_focus_group_changes_nothing(client, coordinator, group):
    client.force_login(coordinator)

    none = {"assignments-TOTAL_FORMS": 0, "assignments-INITIAL_FORMS": 0}

    posted = {"venue": "Hall", "language": "ru", "status": "held", "code": "AA-AAAA", **none}
    client.post(f"{GROUPS}{group.pk}/change/", posted)

    code = group.code
    group.refresh_from_db()
    assert (group.venue, group.language, group.status, group.code) == ("Hall", "ru", "planned", code)


def test_unknown_verb_is_not_found(client, coordinator, group):
    client.force_login(coordinator)
    assert press(client, GROUPS, group, "abolish").status_code == 404
