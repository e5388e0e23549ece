"""Certificates: read here and revoked here; given from the page of a training session."""

from datetime import date
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from dtm_ops.accounts.models import User
from dtm_ops.common.badges import BAD, GOOD, QUIET, badge
from dtm_ops.common.desk import AnyUser, DeskRights
from dtm_ops.common.desk_sections import DeskSection
from dtm_ops.records.verbs import Verb, VerbAdmin
from locations.permissions import has_desk
from training.admin.filters import PersonRegionFilter
from training.forms import RevokeForm
from training.models import Certificate
from training.permissions import can_change_roster
from training.services.certification import revoke_certificate


def _may_revoke(user: AnyUser, certificate: Certificate | None) -> bool:
    return can_change_roster(user, certificate.enumerator if certificate else None)


def _revoke(certificate: Certificate, *, user: User, on: date, reason: str) -> None:
    revoke_certificate(certificate, on=on, reason=reason, by=user)


def _not_revoked(certificate: Certificate) -> str:
    return _now("it is revoked already") if certificate.revoked_on else ""


class StandingFilter(admin.SimpleListFilter):
    title = _("validity")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("valid", _("Valid today")), ("not", _("Not valid today"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        valid = Certificate.objects.valid_on(timezone.localdate()).order_by().values("pk")
        if self.value() == "valid":
            return queryset.filter(pk__in=valid)
        return queryset.exclude(pk__in=valid) if self.value() == "not" else queryset


@admin.register(Certificate)
class CertificateAdmin(VerbAdmin):
    desk_section = DeskSection.PEOPLE
    desk_order = 7
    rights = DeskRights(view=has_desk)
    seen_fields = ("revoked_on",)
    verbs = (
        Verb(
            name="revoke",
            label=_("Revoke"),
            hint=_("From that day on the certificate is no proof any more. It stays in the list, with the reason."),
            may=_may_revoke,
            act=_revoke,
            form=RevokeForm,
            fits=_not_revoked,
            tone="danger",
        ),
    )
    change_form_template = "admin/training/certificate/change_form.html"
    list_display = [
        "serial", "enumerator", "shown_form", "shown_standing", "expires_on", "shown_pdf", "issued_on",
    ]  # fmt: skip
    fields = [
        "serial", "enumerator", "form_kind", "major_version", "training_session", "issued_on", "expires_on",
        "shown_standing", "revoked_on", "revocation_reason", "revoked_by",
    ]  # fmt: skip
    list_filter = [StandingFilter, "form_kind", PersonRegionFilter]
    list_select_related = ["enumerator", "form_kind"]
    search_fields = ["serial", "enumerator__code", "enumerator__full_name"]
    search_help_text = _("Serial, or code or name of the person.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("enumerator__home_unit", "form_kind")

    @admin.display(description=_("form"), ordering="form_kind")
    def shown_form(self, certificate: Certificate) -> str:
        return f"{certificate.form_kind} {certificate.major_version}"

    @admin.display(description=_("PDF"))
    def shown_pdf(self, certificate: Certificate) -> SafeString:
        address = reverse("certificate_pdf", args=[certificate.serial])
        return format_html('<a href="{}" aria-label="PDF {}">PDF</a>', address, certificate.serial)

    @admin.display(description=_("validity"))
    def shown_standing(self, certificate: Certificate) -> SafeString:
        today = timezone.localdate()
        if certificate.is_valid_on(today):
            return badge(_("valid"), GOOD)
        if certificate.revoked_on and certificate.revoked_on <= today:
            return badge(_("revoked"), BAD)
        if certificate.expires_on and certificate.expires_on < today:
            return badge(_("expired"), QUIET)
        return badge(_("not valid today"), QUIET)
