"""`/verify/<serial>/`: whether a certificate holds, for anybody who has its serial. Name, form, validity, no more."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dtm_ops.common.rate_limit import is_too_often
from training.selectors.verification import read_serial, verify

# Whoever tries serials at random gets nowhere at this pace: there are 31 ** 12 of them.
PER_MINUTE = 60


@login_not_required
@never_cache
@require_safe
def ask_serial(request: HttpRequest) -> HttpResponse:
    """The field to type a serial into; what was typed leads to its page."""
    typed = request.GET.get("serial", "")
    serial = read_serial(typed)
    if serial:
        return _unlisted(HttpResponseRedirect(reverse("verify_certificate", args=[serial])))
    error = _("Type the serial as it stands on the certificate.") if "serial" in request.GET else ""
    return _unlisted(render(request, "training/verify.html", {"typed": typed[:40], "error": error}))


@login_not_required
@never_cache
@require_safe
def show_certificate(request: HttpRequest, serial: str) -> HttpResponse:
    if is_too_often(request, page="verify", per_minute=PER_MINUTE):
        answer = render(request, "training/verify.html", {"is_too_often": True, "typed": serial[:40]}, status=429)
        answer.headers["Retry-After"] = "60"
        return _unlisted(answer)
    verdict = verify(read_serial(serial), on=timezone.localdate())
    context = {"verdict": verdict, "is_unknown": verdict is None, "typed": "" if verdict else serial[:40]}
    return _unlisted(render(request, "training/verify.html", context, status=200 if verdict else 404))


def _unlisted(answer: HttpResponse) -> HttpResponse:
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    return answer
