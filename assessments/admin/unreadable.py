"""Forms that cannot be read: what is wrong with each, and reading them again once the mapping was mended."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from kombu.exceptions import OperationalError

from assessments.models import KoboForm, KoboSubmission
from assessments.permissions import can_connect_kobo, can_match
from assessments.selectors.unreadable import forms_with_unreadable, unreadable, with_reasons
from assessments.services.replay import replay_one, replay_refused
from assessments.tasks import read_form_again
from dtm_ops.accounts.models import User
from dtm_ops.common.desk import AnyUser
from dtm_ops.common.errors import Refused
from dtm_ops.records.verbs import Verb, VerbAdmin

FORMS_A_PAGE = 50


def unreadable_url(model_admin: VerbAdmin) -> URLPattern:
    """For `KoboSubmissionAdmin.get_urls`."""

    def view(request: HttpRequest) -> HttpResponse:
        return _show_unreadable(model_admin, request)

    return path("unreadable/", model_admin.admin_site.admin_view(view), name="assessments_kobosubmission_unreadable")


def _show_unreadable(model_admin: VerbAdmin, request: HttpRequest) -> HttpResponse:
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    if request.method == "POST":
        if not can_match(request.user):
            raise PermissionDenied
        try:
            messages.success(request, _act(request))
        except Refused as refused:
            messages.error(request, str(refused))
        return HttpResponseRedirect(request.get_full_path())
    page = Paginator(unreadable(request.user), FORMS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": _now("Forms that cannot be read"),
        "page": page,
        "rows": with_reasons(page.object_list),
        "forms": forms_with_unreadable(request.user),
        "waiting": page.paginator.count,
        "may": can_match(request.user),
        "may_mend": can_connect_kobo(request.user),
    }
    return TemplateResponse(request, "admin/assessments/kobosubmission/unreadable.html", context)


def _act(request: HttpRequest) -> str:
    user: Any = request.user
    if form_key := request.POST.get("form"):
        form = _find(KoboForm.objects.visible_to(user).select_related("round", "form_kind"), form_key)
        read = replay_refused(form, by=user)
        words = ngettext("%(count)s form can be read now.", "%(count)s forms can be read now.", read)
        return words % {"count": read}
    key = request.POST.get("one")
    if not key:
        raise Refused(_now("Choose what is to be read again."), code="incomplete")
    own = KoboSubmission.objects.visible_to(user).select_related("form__round", "unit", "enumerator__home_unit")
    submission: KoboSubmission = _find(own, key)
    if replay_one(submission, by=user):
        return _now("Form %(form)s can be read now.") % {"form": submission}
    raise Refused(_now("Form %(form)s still cannot be read.") % {"form": submission}, code="still_refused")


def _find(rows: Any, key: str) -> Any:
    found = rows.filter(pk=key).first() if key.isdecimal() and len(key) < 19 else None
    if found is None:
        raise Http404
    return found


# --- a verb of the form's page


def _may_read_again(user: AnyUser, form: Any = None) -> bool:
    return can_connect_kobo(user)


def _queue(form: KoboForm, *, user: User) -> str:
    try:
        read_form_again.delay_on_commit(form.pk)
    except OperationalError:
        raise Refused(
            _now("The queue of background work does not answer: nothing was started. Tell your administrator."),
            code="broker_down",
        ) from None
    return _now("The forms of %(form)s are being read again; it takes some seconds for each thousand.") % {"form": form}


READ_AGAIN = Verb(
    name="read_again",
    label=_("Read all again"),
    hint=_(
        "After a training day, the first day of the round, the roster or the mapping was corrected: every form that is"
        " not approved is read again as it is here. Kobo is not asked."
    ),
    may=_may_read_again,
    act=_queue,
    # Queued at once, so that a queue that does not answer is told here.
    is_atomic=False,
)
