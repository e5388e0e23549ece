"""Everybody who can log in changes their own password, also who has no desk."""

import pytest
from django.urls import reverse

pytestmark = pytest.mark.django_db

OLD, NEW = "enumerator", "a-long-new-word-7"


def change(client, *, old: str, new: str = NEW):
    return client.post(reverse("change_password"), {"old_password": old, "new_password1": new, "new_password2": new})


def test_password_is_changed_by_who_knows_the_old_one(client, enumerator):
    client.force_login(enumerator.user)

    assert change(client, old=OLD).url == "/"
    enumerator.user.refresh_from_db()
    assert enumerator.user.check_password(NEW)


@pytest.mark.parametrize(("old", "new"), [("wrong", NEW), (OLD, "short")])
def test_password_stays_after_a_wrong_old_or_a_weak_new_one(client, enumerator, old, new):
    client.force_login(enumerator.user)

    assert change(client, old=old, new=new).status_code == 200
    enumerator.user.refresh_from_db()
    assert enumerator.user.check_password(OLD)
