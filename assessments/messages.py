"""Sentences for what machines report by code: errors of Kobo, unreadable answers, flags, outcomes. In the reader's
language.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from assessments.enums import KoboStatus, SyncOutcome
from assessments.kobo.errors import Problem
from assessments.models import QualityFlag, StatusPush, SyncRun
from dtm_ops.common.names import named

KOBO: Mapping[str, Promise] = {
    "too_many_requests": gettext_lazy("%(host)s asks to slow down. The next run tries again."),
    "server_unavailable": gettext_lazy(
        "%(host)s is not available at the moment (HTTP %(status)s). The next run tries again."
    ),
    "server_error": gettext_lazy("%(host)s failed on its side (HTTP %(status)s). The next run tries again."),
    "query_failed": gettext_lazy("%(host)s could not finish the query in time. The next run tries again."),
    "not_json": gettext_lazy("%(host)s answered with a page instead of data (HTTP %(status)s): %(excerpt)s"),
    "bad_answer": gettext_lazy("%(host)s answered data of an unknown shape (%(what)s)."),
    "paging_broken": gettext_lazy(
        "%(host)s sent rows out of order after row %(after_id)s. Nothing is lost; try again later."
    ),
    "connection_failed": gettext_lazy("No connection to %(host)s. The next run tries again."),
    "connection_cut": gettext_lazy(
        "The connection to %(host)s broke in the middle of an answer. The next run tries again."
    ),
    "timed_out": gettext_lazy("%(host)s did not answer in time. The next run tries again."),
    "bad_address": gettext_lazy("%(address)s is not a usable server address."),
    "bad_certificate": gettext_lazy("The certificate of %(host)s cannot be trusted."),
    "bad_token": gettext_lazy("%(host)s does not accept the token. Connect the form again with a valid token."),
    "not_kobo": gettext_lazy(
        "%(host)s does not answer like a KoboToolbox server (HTTP %(status)s). Check the address."
    ),
    "redirected": gettext_lazy("%(host)s redirects to %(to)s; the token is not sent there. Check the address."),
    "no_project": gettext_lazy(
        "Project %(asset_uid)s is not visible to this token on %(host)s: it is missing, in the trash, or the right "
        "was taken away. Nothing was deleted here."
    ),
    "no_submission": gettext_lazy("Submission %(kobo_id)s is not at Kobo any more."),
    "no_file": gettext_lazy("The file is not at Kobo any more."),
    "no_version": gettext_lazy("Project %(asset_uid)s has no form version %(version_uid)s."),
    "forbidden": gettext_lazy("%(host)s does not allow this to the token's account (HTTP %(status)s)."),
    "not_deployed": gettext_lazy("Project %(asset_uid)s has not been deployed at Kobo yet."),
    "removed_api": gettext_lazy("%(host)s no longer has this part of its API (HTTP %(status)s)."),
    "conflict": gettext_lazy("%(host)s cannot tell which submission is meant."),
    "bad_request": gettext_lazy("%(host)s did not understand the request (HTTP %(status)s): %(excerpt)s"),
    "refused": gettext_lazy("%(host)s refused the request (HTTP %(status)s): %(excerpt)s"),
    "import_slow": gettext_lazy("%(host)s has not finished reading the form. Run the same again in some minutes."),
    "not_taken": gettext_lazy(
        "%(host)s answered, but project %(asset_uid)s does not have what was sent. The next run tries again."
    ),
    "media_contended": gettext_lazy(
        "Somebody else keeps replacing %(file)s of project %(asset_uid)s. The next run tries again."
    ),
    "import_failed": gettext_lazy("%(host)s could not read the form: %(reason)s"),
    "no_import": gettext_lazy("%(host)s does not know the import any more (HTTP %(status)s). Run the same again."),
    "changed_meanwhile": gettext_lazy(
        "Somebody changed project %(asset_uid)s on %(host)s meanwhile. Look at it there, then run the same again."
    ),
    "content_differs": gettext_lazy(
        "%(host)s keeps another form in project %(asset_uid)s than was sent (%(count)s differences: %(what)s). Look at "
        "it there before it is deployed."
    ),
    "undeployed_changes": gettext_lazy(
        "Project %(asset_uid)s has changes on %(host)s that nobody has deployed. Deploy them or take them back there: "
        "the list reaches phones only with a deployment, which would bring those changes too."
    ),
    "archived": gettext_lazy("Project %(asset_uid)s is archived on %(host)s: phones do not get its form."),
    "no_account": gettext_lazy("%(host)s has no account %(username)s."),
    "list_not_asked": gettext_lazy(
        "The form at Kobo does not ask for %(file)s: people type the code of the focus group by hand."
    ),
    "internal": gettext_lazy(
        "The run broke off on our side; the log of the worker says why. The next run goes on from here."
    ),
    "rows_gone": gettext_lazy(
        "%(gone)s of %(here)s submissions are not listed at Kobo any more. That many at once looks like a right "
        "that was taken away: nothing was marked as deleted. Ask whoever owns the project."
    ),
    "rows_not_kept": gettext_lazy(
        "Rows of Kobo that could not be kept: %(count)s. They have no usable id, or another form of that server has"
        " theirs."
    ),
    "counts_differ": gettext_lazy("Kobo counts %(at_kobo)s submissions, but lists %(seen)s. The next run looks again."),
}


class Advice(NamedTuple):
    """``is_for``: a word of `ADDRESSEES`."""

    is_for: str
    says: Promise


ADDRESSEES: Mapping[str, Promise] = {
    "wait": gettext_lazy("Nobody has to do anything"),
    "administrator": gettext_lazy("For an administrator"),
    "kobo": gettext_lazy("For the owner of the project at Kobo"),
}
_WAIT = Advice(
    "wait", gettext_lazy("It passes by itself as a rule. If it lasts for hours, an administrator looks at the server.")
)
_SUPPORT = Advice(
    "administrator", gettext_lazy("This does not pass by itself. Pass this sentence on to whoever maintains DTM Ops.")
)
_ADDRESS = Advice(
    "administrator",
    gettext_lazy("Look at the server's address in a browser, then connect the form again with the right one."),
)
_RIGHT = Advice(
    "kobo",
    gettext_lazy("Open the project at Kobo and give the token's account the right to view submissions again."),
)
_DEPLOY = Advice("kobo", gettext_lazy("Open the project at Kobo and deploy it; an archived one is taken back first."))

# What to do about what `KOBO` says went wrong, and who does it.
ADVICE: Mapping[str, Advice] = {
    **dict.fromkeys(
        (
            "too_many_requests",
            "server_unavailable",
            "server_error",
            "query_failed",
            "not_json",
            "connection_cut",
            "timed_out",
            "paging_broken",
            "counts_differ",
            "import_slow",
            "not_taken",
            "media_contended",
        ),
        _WAIT,
    ),
    "connection_failed": Advice(
        "wait",
        gettext_lazy(
            "It passes by itself. If other sites cannot be reached from this machine either, its network is down."
        ),
    ),
    **dict.fromkeys(
        ("bad_answer", "removed_api", "conflict", "bad_request", "refused", "internal", "rows_not_kept", "no_import"),
        _SUPPORT,
    ),
    **dict.fromkeys(("bad_address", "not_kobo", "redirected"), _ADDRESS),
    "bad_certificate": Advice(
        "administrator",
        gettext_lazy("Ask whoever runs the server to renew its certificate. Until then nothing is sent there."),
    ),
    "bad_token": Advice(
        "administrator",
        gettext_lazy(
            "Copy the token of the account at Kobo (account settings, security) and run connect_kobo with it again."
        ),
    ),
    **dict.fromkeys(("no_project", "forbidden", "no_account"), _RIGHT),
    **dict.fromkeys(("not_deployed", "archived", "undeployed_changes"), _DEPLOY),
    "rows_gone": Advice(
        "administrator",
        gettext_lazy(
            "Ask the owner of the project whether the forms were deleted on purpose. If so, let the deletions through "
            "below; if not, the token's account lost a right at Kobo."
        ),
    ),
    **dict.fromkeys(
        ("import_failed", "content_differs", "changed_meanwhile", "list_not_asked"),
        Advice("administrator", gettext_lazy("Look at the form of the project at Kobo, then deploy it again.")),
    ),
    **dict.fromkeys(
        ("no_submission", "no_file", "no_version"),
        Advice("wait", gettext_lazy("What was deleted at Kobo stays here; the next run says so.")),
    ),
}
# Codes that a further run may make good without anybody.
PASSES_BY_ITSELF = frozenset(code for code, advice in ADVICE.items() if advice.is_for == "wait")

# Troubles that a run rode out, in a few words.
INCIDENTS: Mapping[str, Promise] = {
    "too_many_requests": gettext_lazy("asked to slow down"),
    "server_unavailable": gettext_lazy("server not available"),
    "server_error": gettext_lazy("server failed"),
    "query_failed": gettext_lazy("query not finished in time"),
    "not_json": gettext_lazy("a page instead of data"),
    "bad_answer": gettext_lazy("data of an unknown shape"),
    "connection_failed": gettext_lazy("no connection"),
    "connection_cut": gettext_lazy("answer broke off"),
    "timed_out": gettext_lazy("no answer in time"),
}

PROBLEMS: Mapping[str, Promise] = {
    "missing": gettext_lazy("is missing"),
    "not_an_object": gettext_lazy("is not a form"),
    "wrong_type": gettext_lazy("has the wrong type"),
    "out_of_range": gettext_lazy("is out of range"),
    "too_long": gettext_lazy("is too long"),
    "too_deep": gettext_lazy("is nested too deeply"),
    "cannot_be_stored": gettext_lazy("cannot be stored"),
    "not_a_number": gettext_lazy("is not a number"),
    "not_whole": gettext_lazy("is not a whole number"),
    "negative": gettext_lazy("is below zero"),
    "too_large": gettext_lazy("is too large"),
    "wrong_shape": gettext_lazy("is a list where one answer is expected, or the other way round"),
    "unknown_category": gettext_lazy("is not one of the choices"),
    "unknown_place": gettext_lazy("is not in the gazetteer"),
    "unknown_indicator": gettext_lazy("is not an indicator that we have"),
    "repeat_without_unit": gettext_lazy("has a number without a place"),
    "listed_twice": gettext_lazy("names a place twice"),
    "share_out_of_range": gettext_lazy("is not a percentage between 0 and 100"),
    "share_of_unknown": gettext_lazy("is a percentage of a number that is not given"),
}

MAPPING: Mapping[str, Promise] = {
    "wrong_schema": gettext_lazy("has to be 1"),
    "missing": gettext_lazy("is missing"),
    "unknown_key": gettext_lazy("means nothing in a mapping"),
    "wrong_type": gettext_lazy("has the wrong type"),
    "conflict": gettext_lazy("does not go with the rest of the entry"),
    "duplicate": gettext_lazy("gives a figure that another entry gives already"),
    "unknown_indicator": gettext_lazy("is not an indicator that we have"),
    "unknown_category": gettext_lazy("is not a category of this indicator"),
}

FLAGS: Mapping[str, Promise] = {
    "parts_exceed_total": gettext_lazy("The parts add up to more than the total"),
    "parts_differ_from_total": gettext_lazy("The parts do not add up to the total"),
    "after_fieldwork": gettext_lazy("Filled after the end of the fieldwork"),
    "outdated_version": gettext_lazy("Filled with a version of the form that was no longer accepted on that day"),
    "clock_wrong": gettext_lazy("The phone's clock was wrong"),
    "listed_twice_at_kobo": gettext_lazy("Kobo lists this very form twice"),
    "unknown_person": gettext_lazy("Nobody of the roster is named as the enumerator"),
    "not_certified": gettext_lazy("The enumerator had no valid certificate for this form on that day"),
    "not_assigned": gettext_lazy("The enumerator was not assigned to this focus group"),
}


ATTACHMENTS: Mapping[str, Promise] = {
    "never": gettext_lazy(
        "Pictures and files of this form are not fetched: an administrator has chosen so for the form. Whoever has an"
        " account at Kobo can look at them there."
    ),
    "never_came": gettext_lazy(
        "The answer names this file, but Kobo has not received it. It may still be on the phone: ask the enumerator to"
        " open KoboCollect where there is a network."
    ),
    "lost": gettext_lazy(
        "The file was fetched, but is not found where files are kept, and Kobo cannot be asked for it again. Tell your"
        " administrator: it may be in a backup."
    ),
    "no_file": gettext_lazy("Kobo has no such file any more, or has never received it whole."),
    "too_large": gettext_lazy("The file is larger than what is taken over. It can be looked at in Kobo."),
    "wrong_type": gettext_lazy(
        "The file is not of a type that is taken over: pictures, sound, film, PDF and tables are. It can be looked at"
        " in Kobo."
    ),
    "empty": gettext_lazy("The file is empty."),
    "no_room": gettext_lazy("There was no room left to keep the file. Tell your administrator."),
    "not_stored": gettext_lazy("The place where files are kept did not take the file. Tell your administrator."),
}


def attachment_message(code: str) -> str:
    """Why a file is not here. What Kobo answered the last time is told in full when somebody opens the file."""
    sentence = ATTACHMENTS.get(code)
    return str(sentence) if sentence else _("Kobo did not give the file the last time. Open it to try again.")


def kobo_message(code: str, params: Mapping[str, Any]) -> str:
    """What went wrong with Kobo and what to do. An error that we do not know is shown by its code, never hidden."""
    sentence = KOBO.get(code)
    if sentence is None:
        return _("Kobo could not be read (%(code)s).") % {"code": code}
    return str(sentence) % _Blanks(params)


def advice_for(code: str) -> Advice:
    """What to do about an error of Kobo. One that we do not know is for whoever maintains the program."""
    return ADVICE.get(code, _SUPPORT)


def incidents_message(incidents: Mapping[str, int]) -> str:
    """Troubles on the way, how often each; "" for none."""
    return ", ".join(f"{count} × {INCIDENTS.get(code, code)}" for code, count in sorted(incidents.items()))


def duration_message(lasted: timedelta) -> str:
    """In the largest unit that still says something: minutes up to two hours, hours up to two days, days."""
    minutes = max(0, int(lasted.total_seconds() // 60))
    if minutes < 1:
        return _("less than a minute")
    if minutes < 120:
        return ngettext("%(number)s minute", "%(number)s minutes", minutes) % {"number": minutes}
    hours = minutes // 60
    if hours < 48:
        return ngettext("%(number)s hour", "%(number)s hours", hours) % {"number": hours}
    days = hours // 24
    return ngettext("%(number)s day", "%(number)s days", days) % {"number": days}


def problem_message(problem: Mapping[str, str]) -> str:
    """One unreadable answer: question path, what is wrong, what stood there."""
    words = {
        "question": problem.get("path") or _("the form"),
        "value": problem.get("value", ""),
        "wrong": PROBLEMS.get(problem["code"], problem["code"]),
    }
    return (_("%(question)s “%(value)s” %(wrong)s") if words["value"] else _("%(question)s %(wrong)s")) % words


def mapping_message(problem: Problem) -> str:
    """What is wrong at one place of a mapping. What stood there is quoted where the place is known to exist."""
    words = {
        "place": problem.path or _("the mapping"),
        "value": problem.value if problem.code.startswith("unknown_") else "",
        "wrong": MAPPING.get(problem.code, problem.code),
    }
    return (_("%(place)s “%(value)s” %(wrong)s") if words["value"] else _("%(place)s %(wrong)s")) % words


def flag_message(flag: QualityFlag, indicators: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """What a check found; for arithmetic with the indicators and both numbers."""
    words = str(FLAGS.get(flag.check_code, flag.check_code))
    at = flag.params.get("at") or []
    parts = [
        f"{named((indicators or {}).get(one['indicator'], {}), fallback=one['indicator'])} {one['numbers']}"
        for one in at
    ]
    return f"{words}: {', '.join(parts)}" if parts else words


def run_message(run: SyncRun) -> str:
    """The outcome of a run in one sentence."""
    if run.outcome == SyncOutcome.CLOSED:
        if not run.new and not run.edited and not run.deleted:
            return _("Nothing new.")
        return ngettext("%(new)s new form.", "%(new)s new forms.", run.new) % {"new": run.new}
    if run.error_code:
        return kobo_message(run.error_code, run.error_params)
    return str(run.get_outcome_display())


def push_message(push: StatusPush) -> str:
    """Why a decision is not at Kobo; "" where nothing went wrong."""
    if not push.error_code:
        return ""
    return kobo_message(push.error_code, {"kobo_id": push.submission.kobo_id, **push.error_params})


def proposal_message(uid: str, *, by: str, at: datetime | None) -> str:
    """What somebody set at Kobo. A status that we do not know is shown as it is."""
    label = KoboStatus(uid).label if uid in KoboStatus.values else uid
    words = {"who": by or _("somebody"), "status": label}
    if at is None:
        return _("At Kobo, %(who)s set “%(status)s”.") % words
    words["date"] = date_format(localtime(at), "SHORT_DATETIME_FORMAT")
    return _("At Kobo, %(who)s set “%(status)s” on %(date)s.") % words


class _Blanks(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"
