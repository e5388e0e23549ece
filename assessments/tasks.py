"""Celery's way into the services: ids in, a retry policy, nothing else."""

import logging

from celery import Task, shared_task
from django.core.cache import cache
from django.utils import timezone

from assessments.enums import SyncTrigger
from assessments.kobo.errors import KoboRejected, KoboUnavailable
from assessments.models import KoboForm
from assessments.services.assignment_lists import find_due_forms, publish_assignment_list
from assessments.services.attachments import fetch_due_attachments, forms_with_due_attachments
from assessments.services.kobo_connection import open_client
from assessments.services.kobo_hooks import delete_old_deliveries, waiting_ids
from assessments.services.kobo_sync import sync_form
from assessments.services.replay import read_all_again
from assessments.services.status_pushes import forms_with_due_pushes, send_pushes
from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused

logger = logging.getLogger(__name__)

# Seconds from a notice of Kobo to the sync that reads it and all that came meanwhile. The mark is gone a little
# before: whoever finds it has written before that sync begins.
NOTICE_PAUSE, NOTICE_MARK = 5, 3


@shared_task(name="assessments.sync_due_forms")
def sync_due_forms() -> int:
    """Each minute: give every form that is due to a worker. Returns how many."""
    now = timezone.now()
    due = list(KoboForm.objects.due(now).values_list("pk", flat=True))
    for pk in due:
        sync_kobo_form.delay(pk)
    return len(due)


@shared_task(
    name="assessments.sync_kobo_form",
    bind=True,
    autoretry_for=(KoboUnavailable,),
    max_retries=4,
    retry_backoff=30,
    retry_backoff_max=600,
    retry_jitter=True,
)
def sync_kobo_form(
    self: Task, form_id: int, trigger: str = SyncTrigger.BEAT, user_id: int | None = None, *, full: bool = False
) -> str:
    """Sync one form. Returns the outcome, or why nothing was done. ``full``: every row is read again. An answer that a
    person has to act on is not retried. Of the ticks that queued a form while its run was still going on, none runs it
    again.
    """
    form = KoboForm.objects.select_related("server", "round", "form_kind").filter(pk=form_id, is_active=True).first()
    if form is None:
        return "gone"
    is_tick = trigger in (SyncTrigger.BEAT, SyncTrigger.HOOK) and not self.request.retries
    if is_tick and not KoboForm.objects.due(timezone.now()).filter(pk=form_id).exists():
        return "not_due"
    by = User.objects.filter(pk=user_id).first() if user_id else None
    try:
        with open_client(form.server) as client:
            wanted = waiting_ids(form) if trigger == SyncTrigger.HOOK else ()
            quick = trigger in (SyncTrigger.BEAT, SyncTrigger.HOOK)
            run = sync_form(form, client=client, trigger=trigger, by=by, full=full, quick=quick, wanted=wanted)
        return str(run.outcome)
    except Refused as refused:
        return refused.code
    except KoboRejected as error:
        return error.code


@shared_task(name="assessments.read_form_again")
def read_form_again(form_id: int) -> int:
    """Read every form that we hold and that is not approved again. Returns how many say another thing now."""
    form = KoboForm.objects.select_related("round", "form_kind").filter(pk=form_id).first()
    return read_all_again(form, by=None) if form else 0


def queue_sync_after_notice(form: KoboForm) -> None:
    """Soon, and once for all notices of some seconds. Without a queue nothing is lost: the next tick of beat finds the
    form due.
    """
    if not form.is_active:
        return
    try:
        if cache.add(f"kobo-notice:{form.pk}", 1, NOTICE_MARK):
            sync_kobo_form.apply_async((form.pk,), {"trigger": SyncTrigger.HOOK}, countdown=NOTICE_PAUSE, retry=False)
    except Exception as error:  # noqa: BLE001  each library has errors of its own for a server that is away
        logger.warning("no sync was queued for a notice of Kobo: %s", type(error).__name__)


@shared_task(name="assessments.delete_old_notices")
def delete_old_notices() -> int:
    """Each hour: notices of Kobo that are older than 30 days."""
    return delete_old_deliveries()


@shared_task(name="assessments.send_due_statuses")
def send_due_statuses() -> int:
    """Each minute: give every form with decisions for Kobo to a worker, so that no server keeps another's waiting.
    Returns how many. Where nothing waits it is one query.
    """
    due = forms_with_due_pushes(timezone.now())
    for pk in due:
        send_form_statuses.apply_async((pk,), expires=50)
    return len(due)


@shared_task(name="assessments.send_form_statuses")
def send_form_statuses(form_id: int) -> int:
    """Send what is due of one form. Returns how many are at Kobo; what went wrong stands in the rows, with the time of
    the next try.
    """
    form = KoboForm.objects.select_related("server").filter(pk=form_id).first()
    return send_pushes(form).sent if form else 0


@shared_task(name="assessments.fetch_due_files")
def fetch_due_files() -> int:
    """Every five minutes: give every form whose files are fetched by rule, and that has some to fetch, to a worker.
    Returns how many.
    """
    due = forms_with_due_attachments()
    for pk in due:
        fetch_form_files.apply_async((pk,), expires=290)
    return len(due)


@shared_task(name="assessments.fetch_form_files")
def fetch_form_files(form_id: int) -> dict[str, int] | str:
    """Fetch some files of a form. Returns how many ended how, or what a person has to act on; the next tick goes on."""
    form = KoboForm.objects.select_related("server").filter(pk=form_id, is_active=True).first()
    if form is None:
        return "gone"
    try:
        with open_client(form.server) as client:
            return fetch_due_attachments(form, client=client)
    except KoboRejected as error:
        return error.code


@shared_task(name="assessments.publish_due_lists")
def publish_due_lists() -> int:
    """Every five minutes: give every form whose phones have another list of focus groups than the plan to a worker.
    Returns how many. Where nothing changed Kobo is not asked.
    """
    due = find_due_forms()
    for form in due:
        publish_form_list.apply_async((form.pk,), expires=290)
    return len(due)


@shared_task(name="assessments.publish_form_list")
def publish_form_list(form_id: int) -> str:
    """Send the list of one form. Returns what Kobo objects to, which also stands in the row; "" is well."""
    form = KoboForm.objects.select_related("server").filter(pk=form_id, is_active=True).first()
    if form is None:
        return "gone"
    try:
        with open_client(form.server) as client:
            return publish_assignment_list(form, client).error_code
    except KoboRejected as error:
        return error.code
