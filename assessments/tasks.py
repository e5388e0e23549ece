"""Celery's way into the services: ids in, a retry policy, nothing else."""

from celery import Task, shared_task
from django.utils import timezone

from assessments.enums import SyncTrigger
from assessments.kobo.errors import KoboRejected, KoboUnavailable
from assessments.models import KoboForm
from assessments.services.kobo_connection import open_client
from assessments.services.kobo_sync import sync_form
from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused


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
def sync_kobo_form(self: Task, form_id: int, trigger: str = SyncTrigger.BEAT, user_id: int | None = None) -> str:
    """Sync one form. Returns the outcome, or why nothing was done. An answer that a person has to act on is not
    retried. Of the ticks that queued a form while its run was still going on, none runs it again.
    """
    form = KoboForm.objects.select_related("server", "round", "form_kind").filter(pk=form_id, is_active=True).first()
    if form is None:
        return "gone"
    is_tick = trigger == SyncTrigger.BEAT and not self.request.retries
    if is_tick and not KoboForm.objects.due(timezone.now()).filter(pk=form_id).exists():
        return "not_due"
    by = User.objects.filter(pk=user_id).first() if user_id else None
    try:
        with open_client(form.server) as client:
            return str(sync_form(form, client=client, trigger=trigger, by=by).outcome)
    except Refused as refused:
        return refused.code
    except KoboRejected as error:
        return error.code
