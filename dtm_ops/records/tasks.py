"""Celery's way into the outbox."""

from celery import shared_task

from dtm_ops.records.notices import send_due_notices


@shared_task(name="records.send_due_notices")
def send_notices() -> int:
    """Each minute: send what is due. Returns how many were sent."""
    return send_due_notices().sent
