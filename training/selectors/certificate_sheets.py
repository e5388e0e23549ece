"""What a certificate says on paper: all words, in the person's language and in English, for the template."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from dtm_ops.common.names import named
from dtm_ops.common.qr import qr_svg
from training.models import Certificate, TrainingHalfDay
from training.selectors.languages import language_of

ENGLISH: Final = "en"


def certificate_sheets(certificates: Iterable[Certificate], *, address: Callable[[Certificate], str]) -> dict[str, Any]:
    """``certificates`` with person, login, form kind and training; ``address``: where each is verified."""
    rows = list(certificates)
    days = _days_of(rows)
    sheets = [_sheet(row, days.get(row.training_session_id, []), address=address(row)) for row in rows]
    return {"title": ", ".join(row.serial for row in rows[:1]) or "DTM Ops", "certificates": sheets}


def _days_of(rows: list[Certificate]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    half_days = TrainingHalfDay.objects.filter(training_session__in={row.training_session_id for row in rows})
    for training, day in half_days.order_by("day").values_list("training_session_id", "day").distinct():
        found.setdefault(training, []).append(day)
    return found


def _sheet(certificate: Certificate, days: list[Any], *, address: str) -> dict[str, Any]:
    language = language_of(certificate.enumerator, fallback=certificate.training_session.language)
    with translation.override(language):
        own = _words(certificate, days, language)
    with translation.override(ENGLISH):
        english = _words(certificate, days, ENGLISH)
    labels = ["" if language == ENGLISH else label for label, _value in english["facts"]]
    svg = str(qr_svg(address, title=address)).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    sheet = {name: words for name, words in own.items() if name != "facts"}
    for name in ("heading", "certifies", "passed", "form", "verify"):
        sheet[f"{name}_english"] = "" if language == ENGLISH else english[name]
    return sheet | {
        "language": language,
        "name": certificate.enumerator.full_name,
        "facts": [
            {"label": label, "english": second, "value": value}
            for (label, value), second in zip(own["facts"], labels, strict=True)
        ],
        "qr": svg,
        "verify_address": address,
    }


def _words(certificate: Certificate, days: list[Any], language: str) -> dict[str, Any]:
    kind = named(certificate.form_kind.names, fallback=certificate.form_kind.code, language=language)
    form = _("%(kind)s, version %(version)s") % {"kind": kind, "version": certificate.major_version}
    until = date_format(certificate.expires_on, "DATE_FORMAT") if certificate.expires_on else _("does not expire")
    revoked_on = certificate.revoked_on
    return {
        "organisation": _("Displacement Tracking Matrix"),
        "heading": _("Certificate"),
        "certifies": _("This is to certify that"),
        "passed": _("was trained and may collect data with the form"),
        "form": form,
        "verify": _("See whether this certificate is valid today:"),
        "stamp": _("Revoked on %(day)s") % {"day": date_format(revoked_on, "SHORT_DATE_FORMAT")} if revoked_on else "",
        "facts": [
            (_("Training"), certificate.training_session.title),
            (_("Days of the training"), _shown_days(days)),
            (_("Issued on"), date_format(certificate.issued_on, "DATE_FORMAT")),
            (_("Valid until"), until),
            (_("Serial"), certificate.serial),
        ],
    }


def _shown_days(days: list[Any]) -> str:
    if not days:
        return "–"
    return " – ".join(dict.fromkeys(date_format(day, "SHORT_DATE_FORMAT") for day in (days[0], days[-1])))
