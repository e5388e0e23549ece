"""Users, rights and tokens on the desk."""

from datetime import timedelta

import pytest
from django.utils import timezone

from dtm_ops.accounts.models import ApiToken, User, token_digest
from locations.models import UnitScope

USERS = "/admin/accounts/user/"
TOKENS = "/admin/accounts/apitoken/"
NO_RIGHTS = {"unit_scopes-TOTAL_FORMS": 0, "unit_scopes-INITIAL_FORMS": 0}


def posted(user, **changed):
    names = {"username": user.username, "first_name": "", "last_name": "", "email": "", "language": "en"}
    return {**names, "is_active": "on", **NO_RIGHTS, **changed}


def test_user_gets_language_and_rights_in_one_page(client, administrator, stranger, region):
    client.force_login(administrator)
    right = {
        "unit_scopes-TOTAL_FORMS": 1, "unit_scopes-INITIAL_FORMS": 0,
        "unit_scopes-0-unit": region.pk, "unit_scopes-0-role": "coordinator",
    }  # fmt: skip

    answer = client.post(f"{USERS}{stranger.pk}/change/", posted(stranger, language="kk", **right))

    stranger.refresh_from_db()
    assert (answer.status_code, stranger.language) == (302, "kk")
    assert list(UnitScope.objects.filter(user=stranger).values_list("unit", "role")) == [(region.pk, "coordinator")]


@pytest.mark.parametrize(("role", "status"), [("manager", 403), ("coordinator", 403), ("enumerator", 302)])
def test_rights_are_given_by_administrators_alone(request, client, region, stranger, role, status):
    person = request.getfixturevalue(role)
    client.force_login(getattr(person, "user", person))
    right = {"unit_scopes-TOTAL_FORMS": 1, "unit_scopes-0-unit": region.pk, "unit_scopes-0-role": "administrator"}

    answers = [
        client.post(f"{USERS}{stranger.pk}/change/", posted(stranger, **right)),
        client.post(
            f"{USERS}add/", {"username": "new", "password1": "long enough word", "password2": "long enough word"}
        ),
        client.post(
            f"{USERS}{stranger.pk}/password/", {"password1": "long enough word", "password2": "long enough word"}
        ),
    ]

    assert [answer.status_code for answer in answers] == [status] * 3
    assert (stranger.unit_scopes.count(), User.objects.filter(username="new").exists()) == (0, False)


def test_administrator_makes_no_superuser_and_does_not_switch_off_themselves(client, administrator, stranger):
    client.force_login(administrator)
    off = posted(administrator, **{"unit_scopes-INITIAL_FORMS": 0})
    del off["is_active"]

    client.post(f"{USERS}{stranger.pk}/change/", posted(stranger, is_superuser="on"))
    client.post(f"{USERS}{administrator.pk}/change/", off)

    stranger.refresh_from_db()
    administrator.refresh_from_db()
    assert (stranger.is_superuser, administrator.is_active) == (False, True)


def test_token_is_shown_once_and_only_its_digest_is_kept(client, administrator, manager):
    client.force_login(administrator)

    answer = client.post(
        f"{TOKENS}add/", {"user": manager.pk, "name": "report", "expires_at_0": "", "expires_at_1": ""}
    )

    token = ApiToken.objects.get()
    key = answer.context["key"]
    assert (token.user, token.name, token.digest) == (manager, "report", token_digest(key))
    assert ("no-store" in answer.headers["Cache-Control"], key in answer.content.decode()) == (True, True)
    for page in (TOKENS, f"{TOKENS}{token.pk}/change/"):
        body = client.get(page).content.decode()
        assert (key in body, token.digest in body) == (False, False)


def test_token_that_would_have_expired_already_is_not_made(client, administrator, manager):
    client.force_login(administrator)
    past = timezone.localtime() - timedelta(days=1)
    when = {"expires_at_0": f"{past:%Y-%m-%d}", "expires_at_1": f"{past:%H:%M}"}

    answer = client.post(f"{TOKENS}add/", {"user": manager.pk, "name": "report", **when})

    assert answer.context["adminform"].errors == {"expires_at": ["The token would have expired already."]}
    assert ApiToken.objects.count() == 0


def test_token_is_revoked_and_never_changed(client, administrator, manager):
    token = ApiToken.objects.create(user=manager, name="report", digest="x")
    client.force_login(administrator)

    client.post(f"{TOKENS}{token.pk}/do/revoke/", {"confirmed": "1"})
    changed = client.post(f"{TOKENS}{token.pk}/change/", {"user": administrator.pk, "name": "mine"})

    token.refresh_from_db()
    assert (token.revoked_at is not None, token.user, token.name, changed.status_code) == (True, manager, "report", 403)
    assert list(ApiToken.objects.usable()) == []


@pytest.mark.parametrize(("role", "status"), [("manager", 403), ("coordinator", 403), ("stranger", 302)])
def test_token_is_issued_by_administrators_alone(request, client, role, status):
    user = request.getfixturevalue(role)
    client.force_login(user)

    answer = client.post(f"{TOKENS}add/", {"user": user.pk, "name": "mine"})

    assert (answer.status_code, ApiToken.objects.count()) == (status, 0)
