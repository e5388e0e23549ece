"""Who reads what. Lists hold what is in reach; a row out of reach is 404."""

import pytest

from dtm_ops.accounts.models import ApiToken, issue_token

LISTS = [
    "units",
    "enumerators",
    "certificates",
    "training-sessions",
    "form-kinds",
    "rounds",
    "targets",
    "focus-groups",
    "submissions",
    "kobo-forms",
    "sync-runs",
]
DESK_ALONE = {"targets", "kobo-forms", "sync-runs"}


def counts(client, user):
    """How many rows each list has; its status where it is refused."""
    client.force_login(user)
    answers = {name: client.get(f"/api/v1/{name}/") for name in LISTS}
    return {name: one.json().get("count", one.status_code) for name, one in answers.items()}


def test_list_has_everything_for_whoever_has_the_country(client, administrator, manager, other_world):
    # Seven places; the enumerator of the cast has two certificates and two trainings besides.
    everything = [7, 2, 4, 4, 5, 1, 2, 2, 2, 1, 2]

    assert counts(client, administrator) == dict(zip(LISTS, everything, strict=True))
    assert counts(client, manager) == dict(zip(LISTS, everything, strict=True))


def test_list_has_what_is_in_a_coordinators_units(client, coordinator, other_coordinator, other_world):
    assert counts(client, coordinator) == dict(zip(LISTS, [4, 1, 3, 1, 5, 1, 1, 1, 1, 1, 2], strict=True))
    assert counts(client, other_coordinator) == dict(zip(LISTS, [4, 1, 1, 1, 5, 1, 1, 1, 1, 1, 2], strict=True))


def test_list_has_an_enumerators_own_rows_and_the_desk_is_shut(client, enumerator, other_world):
    found = counts(client, enumerator.user)

    assert {name for name, count in found.items() if count == 403} == DESK_ALONE
    # Places are those of the region and the country above it.
    assert [found[name] for name in LISTS if name not in DESK_ALONE] == [4, 1, 3, 1, 5, 1, 1, 1]


def test_list_is_shut_for_a_login_without_a_role(client, stranger, other_world):
    assert set(counts(client, stranger).values()) == {403}


@pytest.mark.parametrize("name", LISTS)
def test_list_asks_who_is_nobody_to_log_in(client, db, name):
    response = client.get(f"/api/v1/{name}/", headers={"accept-language": "en"})

    assert (response.status_code, response.json()) == (
        401,
        {"code": "not_authenticated", "detail": "Authentication credentials were not provided."},
    )


def rows_of(world):
    return [
        f"units/{world.unit.unit_id}/",
        f"enumerators/{world.person.code}/",
        f"certificates/{world.certificate.serial}/",
        f"training-sessions/{world.training_session.code}/",
        f"targets/{world.target.pk}/",
        f"focus-groups/{world.focus_group.code}/",
        f"submissions/{world.submission.pk}/",
    ]


def test_row_out_of_reach_is_not_found(client, coordinator, other_coordinator, world, other_world):
    def statuses(user, addresses):
        client.force_login(user)
        return [client.get(f"/api/v1/{address}").status_code for address in addresses]

    assert statuses(coordinator, rows_of(world)) == [200] * 7
    assert statuses(coordinator, rows_of(other_world)) == [404] * 7
    assert statuses(other_coordinator, rows_of(world)) == [404] * 7


def test_row_of_somebody_else_is_not_found_by_an_enumerator(client, enumerator, world, other_world):
    client.force_login(enumerator.user)
    own = [address for address in rows_of(world) if address.partition("/")[0] not in DESK_ALONE]
    others = [address for address in rows_of(other_world) if address.partition("/")[0] not in DESK_ALONE]

    assert [client.get(f"/api/v1/{address}").status_code for address in own] == [200] * 6
    assert [client.get(f"/api/v1/{address}").status_code for address in others] == [404] * 6


@pytest.mark.parametrize("answer", ["coverage", "report"])
def test_coverage_and_report_are_the_desks(client, world, manager, enumerator, stranger, answer):
    def status(user):
        client.force_login(user)
        return client.get(f"/api/v1/rounds/2022-Q4/{answer}/").status_code

    assert [status(user) for user in (manager, enumerator.user, stranger)] == [200, 403, 403]
    client.force_login(manager)
    assert client.get(f"/api/v1/rounds/2021-Q1/{answer}/").status_code == 404


def test_phone_is_shown_to_who_may_change_the_roster_and_to_the_person(
    read, world, administrator, manager, coordinator, enumerator
):
    enumerator.phone, enumerator.email = "+77010000001", "aigerim@example.org"
    enumerator.save(update_fields=["phone", "email"])

    def contacts(user):
        person = read(user, "enumerators/E01/")
        return person["phone"], person["email"]

    known = ("+77010000001", "aigerim@example.org")
    assert [contacts(user) for user in (administrator, coordinator, enumerator.user)] == [known] * 3
    assert contacts(manager) == (None, None)


def test_training_session_names_only_the_people_in_reach(read, world, other_person, coordinator, manager):
    world.training_session.enrolments.create(enumerator=other_person)

    address = f"training-sessions/{world.training_session.code}/"
    assert read(coordinator, address)["enrolled"] == ["E01"]
    assert read(manager, address)["enrolled"] == ["E01", "E02"]


def test_round_names_only_the_regions_in_reach(read, other_world, coordinator, manager):
    def regions(user):
        return [region["unit_id"] for region in read(user, "rounds/2022-Q4/")["regions"]]

    assert regions(coordinator) == ["190000000"]
    assert regions(manager) == ["190000000", "470000000"]


# --- tokens


def with_token(client, key):
    headers = {"authorization": f"Token {key}", "accept-language": "en"}
    return client.get("/api/v1/targets/", headers=headers)


def test_token_reads_what_its_user_reads(client, coordinator, other_world):
    response = with_token(client, issue_token(coordinator, name="test"))

    assert [row["unit"] for row in response.json()["results"]] == ["195233000"]


@pytest.mark.parametrize(
    "change",
    [{"revoked_at": "2022-01-01T00:00Z"}, {"expires_at": "2022-01-01T00:00Z"}, {"digest": "0" * 64}],
    ids=["revoked", "expired", "unknown"],
)
def test_token_that_is_no_good_is_refused_in_words(client, coordinator, change):
    key = issue_token(coordinator, name="test")
    ApiToken.objects.update(**change)

    response = with_token(client, key)

    assert (response.status_code, response.json()) == (
        401,
        {"code": "authentication_failed", "detail": "This token is unknown, expired or revoked."},
    )
    assert response.headers["WWW-Authenticate"] == "Token"


def test_token_of_a_user_who_was_switched_off_is_refused(client, coordinator):
    key = issue_token(coordinator, name="test")
    coordinator.is_active = False
    coordinator.save(update_fields=["is_active"])

    assert with_token(client, key).status_code == 401
