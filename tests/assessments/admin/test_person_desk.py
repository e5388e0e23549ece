"""People on the desk with the work that hangs on them: setting aside shows it, letting go hands it over."""

import html
from datetime import timedelta

import pytest
from django.utils import timezone

from assessments.models import SessionAssignment
from dtm_ops.records.models import Receipt, StatusChange
from tests.factories.training import CertificateFactory, EnumeratorFactory, TeamFactory
from tests.world import make_world
from training.models import Enumerator
from training.services.corrective import raise_task
from training.services.teams import join_team

PEOPLE = "/admin/training/enumerator/"


@pytest.fixture
def world(village, enumerator, sub_area):
    """With a focus group tomorrow."""
    at = timezone.now() + timedelta(days=1)
    return make_world(village, enumerator, kind=sub_area, starts_at=at)


@pytest.fixture
def successor(village, sub_area):
    person = EnumeratorFactory(code="E77", full_name="Botagoz Demo", home_unit=village)
    CertificateFactory(enumerator=person, form_kind=sub_area)
    return person


@pytest.fixture
def held(world, enumerator, region, coordinator):
    """A focus group to come, a team to lead, an open task."""
    join_team(TeamFactory(name="Team A", unit=region), enumerator, valid_from=timezone.localdate(), is_lead=True)
    raise_task(enumerator, what="Repeats", reason="Empty", due_on=timezone.localdate(), by=coordinator)
    assignment, membership = world.focus_group.assignments.get(), enumerator.memberships.get()
    return [f"to-focus_group-{assignment.pk}", f"to-lead-{membership.pk}"]


def address(person):
    return f"{PEOPLE}{person.pk}/do/leave/"


def asked(step, held, **changed):
    blank = dict.fromkeys(held, "")
    return {"step": step, "on": timezone.localdate().isoformat(), "reason": "New job", "to": "", **blank, **changed}


def test_setting_aside_shows_what_hangs_on_the_person_and_keeps_since_when(client, coordinator, enumerator, held):
    client.force_login(coordinator)

    page = client.get(f"{PEOPLE}{enumerator.pk}/do/set_aside/").content.decode()
    assert all(words in page for words in ("focus group to come", "Team A", "Repeats, due on"))

    day = timezone.localdate() - timedelta(days=2)
    client.post(f"{PEOPLE}{enumerator.pk}/do/set_aside/", {"confirmed": "1", "reason": "Ill", "since": day})
    enumerator.refresh_from_db()
    assert (enumerator.status, enumerator.status_since, enumerator.status_reason) == ("inactive", day, "Ill")
    assert SessionAssignment.objects.active().count() == 1


def test_status_of_a_day_to_come_is_told_at_the_field(client, coordinator, enumerator):
    client.force_login(coordinator)
    tomorrow = timezone.localdate() + timedelta(days=1)

    page = client.post(f"{PEOPLE}{enumerator.pk}/do/set_aside/", {"confirmed": "1", "reason": "Ill", "since": tomorrow})

    assert page.context["form"].errors == {"since": ["That day is still to come: a status changes on its day."]}
    assert StatusChange.objects.count() == 0


def test_wizard_asks_checks_and_lets_go_with_a_receipt(client, coordinator, enumerator, held, successor):
    client.force_login(coordinator)

    page = client.get(address(enumerator)).content.decode()
    words = ("Focus group to come", "Team A", "Repeats", "Botagoz Demo", "nobody")
    assert [one for one in words if one not in page] == []

    checked = client.post(address(enumerator), asked("check", held, to=successor.pk))
    assert (checked.status_code, checked.context["checked"]) == (200, len(checked.context["form"].work.rows))
    assert "goes over to Botagoz Demo (E77)" in checked.content.decode()
    assert (Receipt.objects.count(), Enumerator.objects.get(pk=enumerator.pk).status) == (0, "active")

    done = client.post(address(enumerator), asked("go", held, to=successor.pk, **{held[1]: "nobody"}), follow=True)

    receipt = Receipt.objects.get()
    assert done.redirect_chain == [(f"/people/E01/receipts/{receipt.pk}/", 302)]
    told = {line["what"]: line["done"] for line in receipt.lines}
    assert told["focus group to come"] == "goes over to Botagoz Demo (E77)"
    assert told["lead of a team"] == "ended; the team is without a lead"
    shown = html.unescape(done.content.decode())
    assert all(line["done"] in shown for line in receipt.lines)
    enumerator.refresh_from_db()
    assert (enumerator.status, enumerator.status_reason, receipt.by) == ("left", "New job", coordinator)


def test_what_does_not_fit_is_told_beside_the_row_and_what_was_typed_stays(client, coordinator, enumerator, held):
    green = EnumeratorFactory(code="E88", full_name="Green Demo", home_unit=enumerator.home_unit)
    client.force_login(coordinator)

    page = client.post(address(enumerator), asked("go", held, **{held[0]: green.pk}))

    (field,) = page.context["form"].errors
    assert field == held[0]
    assert "Green Demo (E88) holds no certificate for" in page.context["form"].errors[field][0]
    assert f'value="{green.pk}" selected' in page.content.decode()
    assert "New job" in page.content.decode()
    assert (Receipt.objects.count(), Enumerator.objects.get(pk=enumerator.pk).status) == (0, "active")


def test_row_that_came_up_after_the_page_was_shown_is_asked_for(client, coordinator, enumerator, held):
    client.force_login(coordinator)

    page = client.post(address(enumerator), asked("go", held[:1]))

    assert list(page.context["form"].errors) == [held[1]]
    assert Receipt.objects.count() == 0


def test_page_that_is_out_of_date_lets_nobody_go(client, coordinator, enumerator, held):
    client.force_login(coordinator)

    page = client.post(address(enumerator), asked("go", held, **{f"seen-{enumerator.pk}": "inactive"}))

    assert "meanwhile" in page.content.decode()
    assert Receipt.objects.count() == 0


def test_who_has_left_is_not_let_go_again(client, coordinator, village):
    gone = EnumeratorFactory(home_unit=village, status="left")
    client.force_login(coordinator)

    page = client.post(address(gone), asked("go", []))

    assert "not possible while it is “left”" in page.content.decode()
    assert Receipt.objects.count() == 0


@pytest.mark.parametrize(
    ("who", "status"), [("manager", 403), ("other_coordinator", 404), ("stranger", 302), ("enumerator", 302)]
)
def test_wrong_person_lets_nobody_go(request, client, enumerator, held, who, status):
    user = request.getfixturevalue(who)
    client.force_login(getattr(user, "user", user))

    answers = [client.get(address(enumerator)), client.post(address(enumerator), asked("go", held))]

    assert [answer.status_code for answer in answers] == [status, status]
    assert (Receipt.objects.count(), Enumerator.objects.get(pk=enumerator.pk).status) == (0, "active")


def test_receipt_is_for_the_desk_that_reaches_the_person(
    client, coordinator, other_coordinator, manager, enumerator, held
):
    client.force_login(coordinator)
    client.post(address(enumerator), asked("go", held))
    page = f"/people/E01/receipts/{Receipt.objects.get().pk}/"

    codes = {}
    for user in (coordinator, manager, other_coordinator, Enumerator.objects.get().user or coordinator):
        client.force_login(user)
        codes[user.username] = client.get(page).status_code

    assert codes == {"coordinator": 200, "manager": 200, "other_coordinator": 404}


def test_list_is_filtered_by_what_matches_people_to_work(client, coordinator, village, django_assert_num_queries):
    soon, today = timezone.localdate() + timedelta(days=7), timezone.localdate()
    EnumeratorFactory(code="F1", home_unit=village, has_vehicle=True, organisation="Demo", contract_to=soon)
    keep = EnumeratorFactory(code="F2", home_unit=village, contract_to=today - timedelta(days=1))
    EnumeratorFactory(code="F3", home_unit=village, status="left", merged_into=keep)
    client.force_login(coordinator)

    def listed(query):
        return [row.code for row in client.get(f"{PEOPLE}?{query}").context["cl"].result_list]

    assert listed("") == ["F1", "F2"]
    assert listed("merged=with") == ["F1", "F2", "F3"]
    assert listed("merged=only") == ["F3"]
    assert listed("has_vehicle__exact=1") == listed("organisation=Demo") == listed("contract=soon") == ["F1"]
    assert listed("contract=over") == ["F2"]


def test_list_takes_the_same_number_of_queries_at_three_rows(
    client, coordinator, enumerator, village, django_assert_num_queries, django_assert_max_num_queries
):
    client.force_login(coordinator)
    client.get(PEOPLE)
    with django_assert_max_num_queries(30) as first:
        client.get(PEOPLE)
    for _number in range(2):
        EnumeratorFactory(home_unit=village)

    with django_assert_num_queries(len(first)):
        client.get(PEOPLE)


# --- one person, entered twice


@pytest.fixture
def twin(village):
    return EnumeratorFactory(code="E90", full_name="Айгерим Демо", home_unit=village, phone="+77010000001")


def test_pair_is_listed_and_merged_from_the_list(client, coordinator, enumerator, twin):
    client.force_login(coordinator)

    page = client.get(f"{PEOPLE}duplicates/")
    assert [(pair.first.code, pair.second.code) for pair in page.context["pairs"]] == [("E01", "E90")]
    form = client.get(f"{PEOPLE}{enumerator.pk}/do/merge/?with={twin.pk}").content.decode()
    assert f'value="{twin.pk}" selected' in form

    client.post(f"{PEOPLE}{enumerator.pk}/do/merge/", {"confirmed": "1", "drop": twin.pk, "reason": "One person"})

    twin.refresh_from_db()
    assert (twin.merged_into, twin.status, Receipt.objects.get().kind) == (enumerator, "left", "merge")
    assert client.get(f"{PEOPLE}duplicates/").context["pairs"] == []
    assert client.get(f"{PEOPLE}{twin.pk}/change/").headers["Location"] == f"{PEOPLE}{enumerator.pk}/change/"
    assert client.get("/people/E90/").headers["Location"] == "/people/E01/"
    assert client.get("/api/v1/enumerators/E90/").headers["Location"] == "/api/v1/enumerators/E01/"


def test_pair_of_two_people_goes_from_the_list(client, coordinator, enumerator, twin):
    client.force_login(coordinator)

    client.post(f"{PEOPLE}duplicates/", {"pair": [enumerator.pk, twin.pk]})

    assert (client.get(f"{PEOPLE}duplicates/").context["pairs"], Receipt.objects.get().kind) == ([], "two_people")


@pytest.mark.parametrize(("who", "statuses"), [("manager", [200, 403, 403]), ("other_coordinator", [200, 404, 404])])
def test_wrong_person_merges_nobody(request, client, enumerator, twin, who, statuses):
    client.force_login(request.getfixturevalue(who))

    answers = [
        client.get(f"{PEOPLE}duplicates/"),
        client.post(f"{PEOPLE}duplicates/", {"pair": [enumerator.pk, twin.pk]}),
        client.post(f"{PEOPLE}{enumerator.pk}/do/merge/", {"confirmed": "1", "drop": twin.pk, "reason": "One"}),
    ]

    assert [answer.status_code for answer in answers] == statuses
    assert (Receipt.objects.count(), Enumerator.objects.exclude(merged_into=None).count()) == (0, 0)


def test_entry_out_of_reach_cannot_be_chosen_for_merging(client, coordinator, enumerator, other_village):
    far = EnumeratorFactory(home_unit=other_village)
    client.force_login(coordinator)

    page = client.post(f"{PEOPLE}{enumerator.pk}/do/merge/", {"confirmed": "1", "drop": far.pk, "reason": "One"})

    assert list(page.context["form"].errors) == ["drop"]
    assert Receipt.objects.count() == 0


# --- rows with days


def inline(prefix, rows, initial=0):
    counts = {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": initial}
    return {
        **counts,
        **{f"{prefix}-{number}-{name}": value for number, row in enumerate(rows) for name, value in row.items()},
    }


def posted(person, **inlines):
    rows = {
        name: inline(name, inlines.get(name, [])) for name in ("certificates", "memberships", "absences", "identities")
    }
    columns = {"code": person.code, "full_name": person.full_name, "sex": "female", "languages": "kk, ru"}
    more = {"other_names": "Айгерим Демо, Aygerim", "has_vehicle": "on", "terms_of_reference": "ToR 7", "phone": ""}
    return {
        **columns,
        **more,
        "home_unit": person.home_unit_id,
        **{k: v for row in rows.values() for k, v in row.items()},
    }


def errors_of(page):
    return [
        " ".join(sentence for sentences in form.errors.values() for sentence in sentences)
        for formset in page.context["inline_admin_formsets"]
        for form in formset.formset.forms
        if form.errors
    ]


def test_attributes_teams_absences_and_identities_are_kept_on_the_persons_page(client, coordinator, enumerator, region):
    team = TeamFactory(unit=region)
    client.force_login(coordinator)

    answer = client.post(
        f"{PEOPLE}{enumerator.pk}/change/",
        posted(
            enumerator,
            memberships=[{"team": team.pk, "valid_from": "2023-01-01", "is_lead": "on"}],
            absences=[{"kind": "leave", "first_day": "2023-02-01", "last_day": "2023-02-03"}],
            identities=[{"kind": "phone", "value": "8 701 000 00 07", "valid_to": "2022-12-31"}],
        ),
    )

    assert answer.status_code == 302
    enumerator.refresh_from_db()
    assert (enumerator.other_names, enumerator.has_vehicle, enumerator.terms_of_reference) == (
        ["Айгерим Демо", "Aygerim"], True, "ToR 7",
    )  # fmt: skip
    assert (enumerator.memberships.count(), enumerator.absences.count()) == (1, 1)
    assert list(enumerator.identities.filter(kind="phone").values_list("value", flat=True)) == ["+77010000007"]


def test_overlapping_days_are_told_beside_their_row(client, coordinator, enumerator, region):
    first, second = TeamFactory(name="Team A", unit=region), TeamFactory(name="Team B", unit=region)
    join_team(
        first, EnumeratorFactory(full_name="Other Demo", code="E80"), valid_from=timezone.localdate(), is_lead=True
    )
    EnumeratorFactory(code="E81", full_name="Third Demo", kobo_username="theirs")
    day = timezone.localdate().isoformat()
    client.force_login(coordinator)

    page = client.post(
        f"{PEOPLE}{enumerator.pk}/change/",
        posted(
            enumerator,
            memberships=[
                {"team": first.pk, "valid_from": day, "is_lead": "on"},
                {"team": second.pk, "valid_from": "2023-01-01", "valid_to": "2023-03-01"},
                {"team": second.pk, "valid_from": "2023-02-01", "valid_to": "2023-04-01"},
            ],
            absences=[{"kind": "leave", "first_day": "2023-02-03", "last_day": "2023-02-01"}],
            identities=[{"kind": "kobo", "value": "theirs"}, {"kind": "phone", "value": "12"}],
        ),
    )

    assert [sentence.split(" on some")[0] for sentence in errors_of(page)] == [
        "Other Demo (E80) leads Team A",
        "The person is in a team, or the team has a lead,",
        "The last day is before the first.",
        "It is Third Demo (E81)'s at the same time: without dates.",
        "“12” is not a phone number.",
    ]
    assert (enumerator.memberships.count(), enumerator.absences.count()) == (0, 0)


def test_team_keeps_its_members_and_hands_over_its_lead(client, coordinator, enumerator, village, region):
    team, other = TeamFactory(unit=region, name="Team A"), EnumeratorFactory(home_unit=village)
    client.force_login(coordinator)
    page = f"/admin/training/team/{team.pk}/"
    rows = [{"enumerator": enumerator.pk, "valid_from": "2023-01-01", "is_lead": "on"}]
    columns = {"code": team.code, "name": team.name, "unit": region.pk, "closed_on": ""}

    client.post(f"{page}change/", {**columns, **inline("memberships", rows)})
    client.post(f"{page}do/hand_over/", {"confirmed": "1", "to": other.pk, "on": "2023-07-01"})

    rows = team.memberships.order_by("valid_from", "pk").values_list("enumerator__code", "is_lead", "valid_from")
    assert [(code, lead, str(day)) for code, lead, day in rows] == [
        ("E01", True, "2023-01-01"),
        ("E01", False, "2023-07-01"),
        (other.code, True, "2023-07-01"),
    ]


def test_overlapping_absence_is_told_on_its_own_page(client, coordinator, enumerator):
    client.force_login(coordinator)
    asked = {
        "enumerator": enumerator.pk,
        "kind": "leave",
        "first_day": "2023-02-01",
        "last_day": "2023-02-03",
        "note": "",
    }

    answers = [client.post("/admin/training/absence/add/", asked) for _unused in range(2)]

    assert [answer.status_code for answer in answers] == [302, 200]
    (sentence,) = answers[1].context["adminform"].errors["__all__"]
    assert sentence == "Aigerim Demo (E01) is absent on some of these days already: 1 Feb 2023 – 3 Feb 2023."
    assert enumerator.absences.count() == 1
