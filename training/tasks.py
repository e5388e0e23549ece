"""Celery's way into the roster's services."""

from celery import shared_task

from training.services.enrolment import send_reminders


@shared_task(name="training.send_reminders")
def remind_of_trainings() -> int:
    """Every ten minutes: tell who comes tomorrow. Returns how many notices were queued."""
    return send_reminders()
