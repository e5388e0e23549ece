"""Kobo's notices of new forms (REST Services): their address and secret, what arrives, what a sync makes of it.

A notice is a hint to pull and never a source: it carries no signature, comes twice or not at all, and nothing tells of
edits and deletions. So losing one costs time and no data, and none is let do harm: rows are bounded, however many come.
"""

import json
from collections.abc import Container
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from assessments.enums import HookState
from assessments.kobo.payloads import MAX_KOBO_ID
from assessments.models import HookDelivery, KoboForm, KoboSubmission, SyncRun
from assessments.permissions import can_connect_kobo
from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused

# Of a body only so much is kept; what Kobo sends for a long form is no more than a hint either.
KEPT_BYTES = 16_000
# Notices of one form that wait at the same time. Whatever comes beyond is answered and brings the sync forward, which
# finds what is new without them.
MOST_WAITING = 1_000
# Rows a day for notices of one form that name none; more are counted at the last of them.
MOST_NAMELESS = 100
# So long is an id looked for that Kobo does not list: its pictures may still be on their way.
PATIENCE = timedelta(days=1)
KEPT_FOR = timedelta(days=30)
_MOST_TIMES = 2**31 - 2
_NOBODY = "-" * 43


# --- the address


def open_hook(form: KoboForm, *, by: User) -> KoboForm:
    """Give the form an address with a secret. One that has them keeps them: they may stand at Kobo already."""
    with transaction.atomic():
        locked = _lock(form, by)
        if locked.hook_path is None:
            locked.hook_path, locked.hook_secret = token_urlsafe(32), token_urlsafe(32)
            locked.save(update_fields=["hook_path", "hook_secret"])
    return locked


def renew_secret(form: KoboForm, *, by: User) -> KoboForm:
    """The address stays, so that the service at Kobo is found by it; the old secret opens nothing from now on."""
    with transaction.atomic():
        locked = _lock(form, by)
        if locked.hook_path is None:
            raise Refused(_("The form takes no notices: switch them on first."), code="hook_closed")
        locked.hook_secret = token_urlsafe(32)
        locked.save(update_fields=["hook_secret"])
    return locked


def close_hook(form: KoboForm, *, by: User) -> KoboForm:
    """From now on the old address is not found. What waits is still read."""
    with transaction.atomic():
        locked = _lock(form, by)
        locked.hook_path, locked.hook_secret = None, ""
        locked.save(update_fields=["hook_path", "hook_secret"])
    return locked


def _lock(form: KoboForm, by: User) -> KoboForm:
    if not can_connect_kobo(by):
        raise Refused(_("Only an administrator connects Kobo."), code="not_allowed")
    return KoboForm.objects.select_for_update().get(pk=form.pk)


def find_hook(path: str, secret: str) -> KoboForm | None:
    """The form whose address and secret these are. A wrong address costs the same as a wrong secret."""
    # PostgreSQL takes no NUL in a text; anybody can send one.
    forms = KoboForm.objects.filter(hook_path=path.replace("\0", "?"))
    form = forms.only("asset_uid", "hook_secret", "is_active").first()
    expected = form.hook_secret if form is not None else ""
    is_right = constant_time_compare(secret, expected or _NOBODY)
    return form if is_right and expected else None


# --- what arrives


def take_delivery(form: KoboForm, body: bytes) -> None:
    """Keep a notice and bring the form's next sync forward, which reads it also if no queue answers.

    A second notice of a form that still waits is counted at the first. One that names no form of this project (XML, a
    template without ``_id``, another project's) is kept as such: that something came is news all the same.
    """
    kobo_id = read_kobo_id(body, asset_uid=form.asset_uid)
    kept = body[:KEPT_BYTES].decode("utf-8", "replace").replace("\0", "\ufffd")
    now = timezone.now()
    if kobo_id is None:
        _count_nameless(form, kept, now)
    elif not _count_again(form, kobo_id) and _waiting(form).count() < MOST_WAITING:
        with transaction.atomic():
            # Two at once: the second waits for the first and makes no row, and then both are counted.
            HookDelivery.objects.bulk_create(
                [HookDelivery(form=form, received_at=now, kobo_id=kobo_id, times=0, body=kept)], ignore_conflicts=True
            )
            _count_again(form, kobo_id)
    bring_sync_forward(form)


def read_kobo_id(body: bytes, *, asset_uid: str) -> int | None:
    """``_id`` of the row, or of the row inside the wrapper that somebody has written around it at Kobo."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict):
        return None
    rows: list[dict[str, Any]] = [parsed, *(value for value in parsed.values() if isinstance(value, dict))]
    for row in rows:
        kobo_id = row.get("_id")
        if type(kobo_id) is int and 0 < kobo_id <= MAX_KOBO_ID:
            return kobo_id if row.get("_xform_id_string", asset_uid) == asset_uid else None
    return None


def bring_sync_forward(form: KoboForm) -> None:
    """To the next tick of beat. Writes once, however many notices come until then."""
    now = timezone.now()
    KoboForm.objects.filter(pk=form.pk, next_sync_at__gt=now).update(next_sync_at=now)


def _waiting(form: KoboForm) -> Any:
    return HookDelivery.objects.filter(form=form, state=HookState.WAITING)


def _count_again(form: KoboForm, kobo_id: int) -> bool:
    counted = _waiting(form).filter(kobo_id=kobo_id, times__lte=_MOST_TIMES).update(times=F("times") + 1)
    return bool(counted)


def _count_nameless(form: KoboForm, kept: str, now: datetime) -> None:
    today = HookDelivery.objects.filter(
        form=form, state=HookState.IGNORED, kobo_id=None, received_at__gte=now - timedelta(days=1)
    )
    if today.count() < MOST_NAMELESS:
        HookDelivery.objects.create(form=form, received_at=now, body=kept, state=HookState.IGNORED)
        return
    last = today.order_by("-received_at", "-pk").values("pk")[:1]
    HookDelivery.objects.filter(pk__in=last, times__lte=_MOST_TIMES).update(times=F("times") + 1, received_at=now)


# --- what a sync makes of it


def waiting_ids(form: KoboForm) -> list[int]:
    """Ids to read now, rising; at most `MOST_WAITING` and a few."""
    return list(_waiting(form).exclude(kobo_id=None).order_by("kobo_id").values_list("kobo_id", flat=True))


def mark_pulled(form: KoboForm, ids: Container[int] = ()) -> int:
    """After a run: what it has seen (``ids``) or what is here already waits no more. Returns how many.

    An id that Kobo has not listed for a day is ignored from then on.
    """
    now = timezone.now()
    waiting = list(_waiting(form).exclude(kobo_id=None).values_list("pk", "kobo_id"))
    if not waiting:
        return 0
    named = [kobo_id for _pk, kobo_id in waiting]
    here = set(KoboSubmission.objects.filter(form=form, kobo_id__in=named).values_list("kobo_id", flat=True))
    read = [pk for pk, kobo_id in waiting if kobo_id in here or kobo_id in ids]
    pulled: int = _waiting(form).filter(pk__in=read).update(state=HookState.PULLED, pulled_at=now)
    _waiting(form).filter(received_at__lt=now - PATIENCE).update(state=HookState.IGNORED)
    return pulled


def settle_notices(run: SyncRun, ids: Container[int] = ()) -> None:
    """At the end of a run: mark what it has read, and have what came in meanwhile read by the next tick.

    The end of a run puts the next one off by minutes, also where a notice had just brought it forward.
    """
    mark_pulled(run.form, ids)
    missed = HookDelivery.objects.filter(form_id=run.form_id, received_at__gte=run.started_at)
    if missed.exclude(state=HookState.PULLED).exists():
        bring_sync_forward(run.form)


def delete_old_deliveries() -> int:
    """What nobody needs any more, and the answers that stand in it."""
    deleted, _by_model = HookDelivery.objects.filter(received_at__lt=timezone.now() - KEPT_FOR).delete()
    return deleted
