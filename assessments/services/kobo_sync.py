"""The sync of one form: one run at a time, its outcome written whatever happens. The passes are `kobo_passes`'."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pghistory
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from assessments.enums import SyncOutcome
from assessments.kobo.client import KoboClient
from assessments.kobo.errors import KoboError
from assessments.models import KoboForm, SyncRun
from assessments.querysets import SYNC_LOCK
from assessments.services.kobo_hooks import settle_notices
from assessments.services.kobo_passes import Pull, Stopped
from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from dtm_ops.common.throughput import handling_many_objects

LOCK_SPACE = SYNC_LOCK


def sync_form(
    form: KoboForm,
    *,
    client: KoboClient,
    trigger: str,
    by: User | None = None,
    full: bool = False,
    quick: bool = False,
    wanted: Iterable[int] = (),
    page_size: int = 1000,
    on_page: Callable[[SyncRun], None] | None = None,
) -> SyncRun:
    """Bring the form's submissions up to date and return the finished run.

    By itself every id is compared; ``quick`` does so only where it has to, ``full`` reads every row again instead of
    ids alone. ``wanted``: Kobo ids that a quick run reads in any case. One run per form at a time: refused
    (``sync_running``) while another lasts; the lock dies with its worker, so a run that was killed does not block. A
    ``KoboError`` is recorded in the run and raised again; what was stored until then stays and the next run goes on
    from it. ``on_page`` is told after each page that was stored.
    """
    with _one_at_a_time(form), handling_many_objects():
        _close_lost_runs(form)
        form.refresh_from_db()
        run = SyncRun.objects.create(form=form, trigger=trigger, by=by, started_at=timezone.now())
        pull = Pull(form, client=client, run=run, full=full, page_size=page_size, on_page=on_page)
        try:
            pull.run_all(quick=quick and not full, wanted=wanted)
            outcome, code, params = pull.close()
        except Stopped:
            pull.finish(SyncOutcome.STOPPED)
            return run
        except KoboError as error:
            pull.finish(SyncOutcome.FAILED, code=error.code, params=error.params)
            raise
        except SoftTimeLimitExceeded:  # too much for one go: the next tick goes on
            pull.finish(SyncOutcome.LOST, pause=False)
            raise
        except Exception:
            pull.finish(SyncOutcome.FAILED, code="internal")
            raise
        except BaseException:  # Ctrl-C, or the worker is asked to end: likewise
            pull.finish(SyncOutcome.LOST, pause=False)
            raise
        pull.finish(outcome, code=code, params=params)
        settle_notices(run, pull.ledger.seen)
        return run


def ask_to_stop(run: SyncRun, *, by: User) -> None:
    """The run ends after the page that it is at; what it has stored stays. Refused where it is over already."""
    asked = SyncRun.objects.filter(pk=run.pk, outcome=SyncOutcome.RUNNING)
    if not asked.update(stop_asked_at=timezone.now(), stop_asked_by=by):
        raise Refused(_("This run is over already."), code="run_over")


def release_deletions(form: KoboForm, *, by: User) -> int:
    """Let the next sweep mark as many submissions as deleted as the last red run missed. Returns how many.

    A person says so who knows that they were deleted on purpose; the sweep confirms each of them at Kobo all the same.
    Refused where the last run missed none.
    """
    last = form.runs.exclude(outcome=SyncOutcome.RUNNING).order_by("-started_at", "-pk").first()
    if last is None or last.error_code != "rows_gone":
        raise Refused(_("The last run missed no rows: there is nothing to let through."), code="nothing_gone")
    gone = int(last.error_params["gone"])
    with pghistory.context(user=by.pk, reason="deletions_released"):
        KoboForm.objects.filter(pk=form.pk).update(deletions_released=gone, next_sync_at=None, swept_at=None)
    return gone


@contextmanager
def _one_at_a_time(form: KoboForm) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_SPACE, form.pk])
        if not cursor.fetchone()[0]:
            raise Refused(_("This form is being synchronised already."), code="sync_running")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK_SPACE, form.pk])


def _close_lost_runs(form: KoboForm) -> None:
    """Who holds the lock knows: what still says "running" belongs to a worker that died."""
    SyncRun.objects.filter(form=form, outcome=SyncOutcome.RUNNING).update(
        outcome=SyncOutcome.LOST, finished_at=timezone.now()
    )
