"""The sync of a form on its page: how it stands, the ledger that opens to rows, what waits, and what can be done."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError

from assessments.admin.tones import SYNC, SYNC_STATE
from assessments.enums import SyncOutcome, SyncStep, SyncTrigger
from assessments.forms import LetThroughForm
from assessments.messages import ADDRESSEES, advice_for, duration_message, incidents_message, run_message
from assessments.models import AssignmentList, KoboForm, SyncRun
from assessments.permissions import can_connect_kobo, can_release_deletions, can_start_sync
from assessments.selectors.desk import Waiting
from assessments.selectors.sync_page import SyncPage, ledger_rows, rows_by_kobo_id, sync_page, waiting_at
from assessments.services.kobo_sync import ask_to_stop, release_deletions
from assessments.tasks import sync_kobo_form
from dtm_ops.accounts.models import User
from dtm_ops.common.badges import BAD, INFO, QUIET, WAIT
from dtm_ops.common.desk import AnyUser
from dtm_ops.common.errors import Refused
from dtm_ops.records.verbs import Verb, VerbAdmin
from locations.permissions import is_coordinator, is_manager

# Seconds between two looks of an open page: while a run is on, and else.
PACE, CALM_PACE = 2, 15
SHOWN_IDS = 100

SUBMISSIONS, PUSHES, NOTICES = "kobosubmission", "statuspush", "hookdelivery"
WAITING: Mapping[str, tuple[Promise, str, str]] = {
    "unmatched": (_("Forms without a target"), SUBMISSIONS, WAIT),
    "unreadable": (_("Forms that cannot be read"), SUBMISSIONS, BAD),
    "pushes_waiting": (_("Decisions on their way to Kobo"), PUSHES, INFO),
    "pushes_failed": (_("Decisions that Kobo refused"), PUSHES, BAD),
    "notices": (_("Notices of Kobo whose form is not read yet"), NOTICES, INFO),
}


# --- what can be done


def _may_sync(user: AnyUser, form: Any = None) -> bool:
    return can_start_sync(user)


def _may_release(user: AnyUser, form: Any = None) -> bool:
    return can_release_deletions(user)


def _is_synchronised(form: KoboForm) -> str:
    return "" if form.is_active else _now("the form is not synchronised: switch it on first")


def _queue_sync(form: KoboForm, *, user: User) -> str:
    return _queue(form, user=user)


def _queue_full_sync(form: KoboForm, *, user: User) -> str:
    return _queue(form, user=user, full=True)


def _queue(form: KoboForm, **asked: Any) -> str:
    try:
        sync_kobo_form.delay_on_commit(form.pk, trigger=SyncTrigger.BUTTON, user_id=asked.pop("user").pk, **asked)
    except OperationalError:
        raise Refused(
            _now("The queue of background work does not answer: nothing was started. Tell your administrator."),
            code="broker_down",
        ) from None
    return _now("The sync of %(form)s is queued; its run appears here in a moment.") % {"form": form}


def _run_to_stop(form: KoboForm) -> SyncRun | None:
    return form.runs.filter(outcome=SyncOutcome.RUNNING).first()


def _can_be_stopped(form: KoboForm) -> str:
    return "" if _run_to_stop(form) else _now("no run is going on")


def _stop(form: KoboForm, *, user: User) -> str:
    run = _run_to_stop(form)
    if run is None:
        raise Refused(_now("This run is over already."), code="run_over")
    if run.stop_asked_at is not None:
        raise Refused(_now("Somebody has stopped it already."), code="stop_asked")
    ask_to_stop(run, by=user)
    return _now("The run ends after the page that it is reading. What it has stored stays.")


def _misses_rows(form: KoboForm) -> str:
    if sync_page(form).misses_rows:
        return "" if form.deletions_released is None else _now("they are let through with the next run")
    return _now("the last run missed no rows")


def _let_through(form: KoboForm, *, user: User, **asked: Any) -> str:
    gone = release_deletions(form, by=user)
    words = ngettext(
        "The next run marks %(gone)s form as deleted, after Kobo has confirmed it.",
        "The next run marks %(gone)s forms as deleted, after Kobo has confirmed each of them.",
        gone,
    )
    return words % {"gone": gone}


SYNC_VERBS = (
    Verb(
        name="sync",
        label=_("Sync now"),
        hint=_("Reads what is new and edited and compares the id of every form with ours."),
        may=_may_sync,
        act=_queue_sync,
        fits=_is_synchronised,
        # Queued at once, so that a queue that does not answer is told here.
        is_atomic=False,
    ),
    Verb(
        name="sync_full",
        label=_("Compare every row again"),
        hint=_("Reads each form anew and compares all its answers with ours. Takes minutes where there are many."),
        may=_may_sync,
        act=_queue_full_sync,
        fits=_is_synchronised,
        in_list=False,
        is_atomic=False,
    ),
    Verb(
        name="stop",
        label=_("Stop this run"),
        may=_may_sync,
        act=_stop,
        fits=_can_be_stopped,
        in_list=False,
        in_bar=False,
        tone="danger",
    ),
    Verb(
        name="let_through",
        label=_("Let deletions through"),
        hint=_(
            "Only if they were deleted at Kobo on purpose. The next run asks Kobo for each of them once more and marks"
            " those as deleted that are really gone. Nothing is erased: the forms stay readable here, count no longer,"
            " and come back if Kobo lists them again. It is good for one run."
        ),
        may=_may_release,
        act=_let_through,
        form=LetThroughForm,
        fits=_misses_rows,
        in_list=False,
        in_bar=False,
        tone="danger",
    ),
)


# --- what the page shows


def live_url(model_admin: VerbAdmin) -> URLPattern:
    """For `KoboFormAdmin.get_urls`: the parts of the page that a run changes, for the script that keeps them fresh."""

    @never_cache
    @require_safe
    def view(request: HttpRequest, object_id: str) -> HttpResponse:
        form = model_admin.get_object(request, unquote(object_id))
        context = {"original": form, **sync_sections(form, request.user)}
        return render(request, "admin/assessments/koboform/sync_sections.html", context)

    wrapped = model_admin.admin_site.admin_view(view)
    return path("<path:object_id>/live/", wrapped, name="assessments_koboform_live")


def sync_sections(form: KoboForm, user: AnyUser) -> dict[str, Any]:
    """For the templates of `sync_sections.html`."""
    page = sync_page(form)
    return {
        "sync": page,
        "pace": PACE if page.running else CALM_PACE,
        "state_tone": SYNC_STATE[page.state],
        "progress": _progress(page.running) if page.running else None,
        "trouble": _trouble(page, user),
        "since_good": duration_message(page.since_good) if page.since_good is not None else "",
        "newest_lag": duration_message(page.newest.read_at - page.newest.came_at) if page.newest else "",
        "incidents": incidents_message(page.last.incidents) if page.last else "",
        "ledger": _ledger(page.counted) if page.counted else None,
        "differences": differences(page.counted, user) if page.counted else [],
        "kobo_rows": kobo_rows_address(form) if can_connect_kobo(user) else "",
        "is_narrowed": is_coordinator(user) and not is_manager(user),
        "waiting": [_waiting_line(one) for one in waiting_at(form, user).values()],
        "phones": AssignmentList.objects.filter(form=form).first(),
        "runs": [(run, run_message(run), SYNC[SyncOutcome(run.outcome)]) for run in page.runs],
    }


def _progress(run: SyncRun) -> dict[str, Any]:
    """``share`` None: Kobo has not said how many rows this step has."""
    done = min(run.done, run.expected) if run.expected else run.done
    return {
        "run": run,
        "step": SyncStep(run.step).label if run.step else _now("beginning"),
        "done": done,
        "expected": run.expected,
        "share": 100 * done // run.expected if run.expected else None,
        "is_stopping": run.stop_asked_at is not None,
    }


def _trouble(page: SyncPage, user: AnyUser) -> dict[str, Any] | None:
    """What went wrong in the last run, what to do and who does it."""
    run = page.last
    if run is None or not run.error_code:
        return None
    advice = advice_for(run.error_code)
    return {
        "says": run_message(run),
        "is_for": ADDRESSEES[advice.is_for],
        "advice": advice.says,
        "misses_rows": page.misses_rows,
        "may_release": can_release_deletions(user),
        "is_released": page.form.deletions_released is not None,
        "gone": run.error_params.get("gone"),
        "here": run.error_params.get("here"),
    }


def _ledger(run: SyncRun) -> dict[str, Any]:
    opened = ledger_rows(run)
    terms = ("at_kobo", "unchanged", "new", "edited", "refused", "here", "deleted", "unmatched")
    cells = {name: (getattr(run, name), _address(SUBMISSIONS, opened.get(name))) for name in terms}
    parts = run.unchanged + run.new + run.edited + run.refused
    return {"run": run, "adds_up": run.at_kobo == parts, "is_here": run.here == run.at_kobo, **cells}


def _waiting_line(one: Waiting) -> tuple[Promise, int, str, str]:
    label, rows, tone = WAITING[one.code]
    return label, one.count, _address(rows, one), tone if one.count else QUIET


def _address(rows: str, found: Waiting | None) -> str:
    if found is None:
        return ""
    asked = {name: _as_text(value) for name, value in found.lookups.items()}
    return f"{reverse(f'admin:assessments_{rows}_changelist')}?{urlencode(asked)}"


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def differences(run: SyncRun, user: AnyUser) -> list[tuple[Promise, list[tuple[int, str]]]]:
    """Kobo ids that keep a ledger open, each with the page of the submission where it is here and in reach."""
    sides = {"only_at_kobo": _("At Kobo, not here"), "only_here": _("Here, not listed at Kobo")}
    listed = {side: list(run.differences.get(side) or [])[:SHOWN_IDS] for side in sides}
    if not any(listed.values()):
        return []
    keys = rows_by_kobo_id(run.form, [kobo_id for ids in listed.values() for kobo_id in ids], user)
    page = "admin:assessments_kobosubmission_change"
    return [
        (label, [(one, reverse(page, args=[keys[one]]) if one in keys else "") for one in listed[side]])
        for side, label in sides.items()
        if listed[side]
    ]


def kobo_rows_address(form: KoboForm) -> str:
    """Kobo's own table of the project's submissions, for whoever has an account there."""
    return f"{form.server.base_url.rstrip('/')}/#/forms/{form.asset_uid}/data/table"
