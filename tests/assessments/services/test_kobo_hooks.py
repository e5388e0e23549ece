"""Kobo's notices of new forms: what is kept of them, and what a sync makes of it (recordings 09; surprises 38, 39)."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from assessments.models import HookDelivery, KoboForm, KoboSubmission, SyncRun
from assessments.services.kobo_hooks import (
    KEPT_BYTES,
    MOST_NAMELESS,
    MOST_WAITING,
    close_hook,
    delete_old_deliveries,
    find_hook,
    mark_pulled,
    open_hook,
    read_kobo_id,
    renew_secret,
    settle_notices,
    take_delivery,
    waiting_ids,
)
from dtm_ops.common.errors import Refused
from tests.assessments.kobo.practice.replay import RECORDINGS
from tests.concurrently import at_once
from tests.factories.assessments import KoboFormFactory, RoundTargetFactory, make_submission
from tests.factories.locations import AdminUnitFactory

pytestmark = pytest.mark.django_db

ASSET = "awJCzV5ZKuy4eFW6Xrg3Kf"


@pytest.fixture
def form(db):
    return KoboFormFactory(asset_uid=ASSET)


def notice(kobo_id, **more):
    return json.dumps({"_id": kobo_id, "_xform_id_string": ASSET, **more}).encode()


def kept(form):
    rows = HookDelivery.objects.filter(form=form).order_by("pk")
    return list(rows.values_list("kobo_id", "times", "state"))


def later(form, minutes=10):
    """The next sync, as a run puts it off."""
    KoboForm.objects.filter(pk=form.pk).update(next_sync_at=timezone.now() + timedelta(minutes=minutes))


def is_due(form):
    return KoboForm.objects.due(timezone.now()).filter(pk=form.pk).exists()


# --- the address


def test_hook_opened_has_an_address_and_a_secret_and_keeps_them(form, administrator):
    opened = open_hook(form, by=administrator)

    assert (len(opened.hook_path), len(opened.hook_secret)) == (43, 43)
    assert opened.hook_path != opened.hook_secret
    again = open_hook(form, by=administrator)
    assert (again.hook_path, again.hook_secret) == (opened.hook_path, opened.hook_secret)
    assert find_hook(opened.hook_path, opened.hook_secret) == form


def test_secret_renewed_opens_and_the_old_one_does_not(form, administrator):
    old = open_hook(form, by=administrator)

    new = renew_secret(form, by=administrator)

    assert new.hook_path == old.hook_path
    assert find_hook(new.hook_path, new.hook_secret) == form
    assert find_hook(old.hook_path, old.hook_secret) is None


def test_hook_closed_is_found_by_nobody(form, administrator):
    opened = open_hook(form, by=administrator)

    close_hook(form, by=administrator)

    assert find_hook(opened.hook_path, opened.hook_secret) is None
    assert find_hook(opened.hook_path, "") is None
    form.refresh_from_db()
    assert (form.hook_path, form.hook_secret) == (None, "")


def test_secret_of_another_form_opens_nothing(form, administrator):
    opened = open_hook(form, by=administrator)
    other = open_hook(KoboFormFactory(), by=administrator)

    assert find_hook(opened.hook_path, other.hook_secret) is None
    assert find_hook("nonsense", opened.hook_secret) is None
    assert find_hook("non\0sense", opened.hook_secret) is None


@pytest.mark.parametrize("act", [open_hook, renew_secret, close_hook])
def test_hook_is_handled_by_administrators_alone(form, manager, act):
    with pytest.raises(Refused) as refused:
        act(form, by=manager)

    assert refused.value.code == "not_allowed"
    form.refresh_from_db()
    assert (form.hook_path, form.hook_secret) == (None, "")


def test_secret_is_not_renewed_where_there_is_none(form, administrator):
    with pytest.raises(Refused) as refused:
        renew_secret(form, by=administrator)

    assert refused.value.code == "hook_closed"


# --- what arrives


def recorded_bodies():
    for path in sorted((RECORDINGS / "09_hooks").glob("*_received_*.json")):
        received = json.loads(path.read_text(encoding="utf-8")).get("received")
        if received is not None:
            body = received["body"] if "body" in received else json.dumps(received["body_json"])
            yield path.stem, body.encode()


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"the recordings are not at {RECORDINGS}")
def test_recorded_notices_are_kept_with_the_id_that_they_name(form):
    """Surprise 38: whole row, a subset inside a wrapper, XML."""
    for _name, body in recorded_bodies():
        take_delivery(form, body)

    assert kept(form) == [
        (39, 1, "waiting"),
        (40, 1, "waiting"),
        (41, 1, "waiting"),
        (None, 1, "ignored"),
        (42, 1, "waiting"),
    ]
    assert waiting_ids(form) == [39, 40, 41, 42]
    assert HookDelivery.objects.get(kobo_id=None).body.startswith("<?xml")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<xml/>",
        b"[]",
        b"7",
        b'"_id"',
        b'{"_id": "7"}',
        b'{"_id": true}',
        b'{"_id": 7.0}',
        b'{"_id": 0}',
        b'{"_id": -7}',
        b'{"_id": 9223372036854775808}',
        b'{"_id": ' + b"9" * 5000 + b"}",
        b'{"rows": [{"_id": 7}]}',
        b'{"_id": 7, "_xform_id_string": "aAnotherProject"}',
        b"\xff\xfe\x00{",
        b"[" * 100_000,
        b'{"a": "\\u0000\\ud800"}',
    ],
)
def test_body_that_names_no_form_is_kept_as_such_and_brings_the_sync_forward(form, body):
    later(form)

    take_delivery(form, body)

    assert kept(form) == [(None, 1, "ignored")]
    assert (waiting_ids(form), is_due(form)) == ([], True)


def test_body_is_kept_as_far_as_the_database_takes_it(form):
    take_delivery(form, b'{"_id": 7, "text": "\x00\xff' + b"a" * 2 * KEPT_BYTES + b'"}')
    take_delivery(form, notice(8, text="a" * 2 * KEPT_BYTES))

    nameless, named = HookDelivery.objects.order_by("pk")
    assert nameless.body.startswith('{"_id": 7, "text": "\ufffd\ufffdaaa')
    assert (len(nameless.body), len(named.body), named.kobo_id) == (KEPT_BYTES, KEPT_BYTES, 8)


def test_id_is_read_from_the_row_or_from_the_row_in_a_wrapper():
    assert read_kobo_id(notice(2**63 - 1), asset_uid=ASSET) == 2**63 - 1
    assert read_kobo_id(b'{"source": "kobo", "row": {"_id": 40}}', asset_uid=ASSET) == 40


def test_notice_that_comes_again_is_counted_at_the_one_that_waits(form):
    for _time in range(3):
        take_delivery(form, notice(39))
    take_delivery(form, notice(40))
    take_delivery(KoboFormFactory(), b'{"_id": 39}')

    assert kept(form) == [(39, 3, "waiting"), (40, 1, "waiting")]


def test_notice_of_what_was_read_already_waits_anew(form):
    take_delivery(form, notice(39))
    mark_pulled(form, {39})

    take_delivery(form, notice(39))

    assert kept(form) == [(39, 1, "pulled"), (39, 1, "waiting")]


@pytest.mark.django_db(transaction=True)
def test_same_notice_twice_at_once_makes_one_row(form):
    results = at_once(*[lambda: take_delivery(form, notice(39))] * 4)

    assert results == [None] * 4
    assert kept(form) == [(39, 4, "waiting")]


def test_thousand_notices_and_more_leave_so_many_rows_and_no_more(form, monkeypatch):
    monkeypatch.setattr("assessments.services.kobo_hooks.MOST_WAITING", 30)
    monkeypatch.setattr("assessments.services.kobo_hooks.MOST_NAMELESS", 10)
    later(form)

    for number in range(500):
        take_delivery(form, notice(number + 1))
        take_delivery(form, b"<xml/>")

    assert waiting_ids(form) == list(range(1, 31))
    assert sorted(times for kobo_id, times, _state in kept(form) if kobo_id is None) == [1] * 9 + [491]
    assert (MOST_WAITING, MOST_NAMELESS) == (1000, 100)
    assert is_due(form)


def test_notice_that_waits_is_counted_also_when_no_other_finds_room(form, monkeypatch):
    monkeypatch.setattr("assessments.services.kobo_hooks.MOST_WAITING", 1)

    for kobo_id in (39, 40, 39):
        take_delivery(form, notice(kobo_id))

    assert kept(form) == [(39, 2, "waiting")]


# --- what a sync makes of it


def test_id_waits_until_a_run_has_seen_it_or_it_is_here(form):
    target = RoundTargetFactory(round=form.round, form_kind=form.form_kind, unit=AdminUnitFactory())
    make_submission(target, form=form, kobo_id=40)
    for kobo_id in (39, 40, 41):
        take_delivery(form, notice(kobo_id))

    assert mark_pulled(form, {39: "new", 55: "new"}) == 2

    assert kept(form) == [(39, 1, "pulled"), (40, 1, "pulled"), (41, 1, "waiting")]
    assert HookDelivery.objects.get(kobo_id=39).pulled_at is not None
    assert mark_pulled(form, {39}) == 0


def test_id_that_kobo_does_not_list_for_a_day_is_ignored(form):
    take_delivery(form, notice(39))
    take_delivery(form, notice(40))
    HookDelivery.objects.filter(kobo_id=39).update(received_at=timezone.now() - timedelta(days=1, minutes=1))

    mark_pulled(form)

    assert kept(form) == [(39, 1, "ignored"), (40, 1, "waiting")]


def test_what_comes_while_a_run_lasts_is_read_by_the_next_tick(form):
    started = timezone.now()
    run = SyncRun.objects.create(form=form, trigger="hook", started_at=started, finished_at=started, outcome="closed")
    take_delivery(form, notice(39))
    later(form)

    settle_notices(run)

    assert is_due(form)


def test_run_that_has_read_all_leaves_the_next_one_where_it_is(form):
    take_delivery(form, notice(38))
    started = timezone.now()
    run = SyncRun.objects.create(form=form, trigger="hook", started_at=started, finished_at=started, outcome="closed")
    take_delivery(form, notice(39))
    later(form)

    settle_notices(run, {39})

    assert (kept(form), is_due(form)) == ([(38, 1, "waiting"), (39, 1, "pulled")], False)


def test_notices_older_than_thirty_days_are_deleted(form):
    now = timezone.now()
    for kobo_id, days in ((38, 31), (39, 29)):
        HookDelivery.objects.create(form=form, kobo_id=kobo_id, received_at=now - timedelta(days=days))

    assert delete_old_deliveries() == 1

    assert kept(form) == [(39, 1, "waiting")]
    assert not KoboSubmission.objects.exists()
