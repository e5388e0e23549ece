"""Certificates as PDF: one's own, and for the desk those within reach."""

from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dtm_ops.common.site_address import absolute
from dtm_ops.common.typesetting import render_pdf
from locations.permissions import has_desk
from training.models import Certificate, TrainingSession
from training.querysets import CertificateQuerySet
from training.selectors.certificate_sheets import certificate_sheets

TEMPLATE = Path(settings.BASE_DIR) / "templates" / "training" / "certificate.typ"


@never_cache
@require_safe
def print_certificate(request: HttpRequest, serial: str) -> HttpResponse:
    """One that was revoked says so across the page."""
    certificate = get_object_or_404(_printable(request), serial=serial)
    return _pdf([certificate], name=certificate.serial)


@never_cache
@require_safe
def print_training(request: HttpRequest, code: str) -> HttpResponse:
    """All of a training within the reader's reach, one a page, without those that were revoked."""
    if not has_desk(request.user):
        raise Http404
    training_session = get_object_or_404(TrainingSession.objects.visible_to(request.user), code=code)
    rows = list(_printable(request).filter(training_session=training_session, revoked_on=None))
    if not rows:
        raise Http404
    return _pdf(rows, name=training_session.code)


def _printable(request: HttpRequest) -> CertificateQuerySet:
    rows = Certificate.objects.visible_to(request.user)
    return rows.select_related("enumerator__user", "form_kind", "training_session")


def _pdf(rows: list[Certificate], *, name: str) -> HttpResponse:
    sheets = certificate_sheets(rows, address=lambda row: absolute(reverse("verify_certificate", args=[row.serial])))
    answer = HttpResponse(render_pdf(TEMPLATE, sheets), content_type="application/pdf")
    answer.headers["Content-Disposition"] = f'inline; filename="certificate-{name}.pdf"'
    return answer
