"""Certificates: given by the rule, revoked with a reason. Nothing else writes them."""

import secrets
from datetime import date

from django.db import transaction
from django.db.models import Count, Q
from django.utils.translation import gettext as _

from dtm_ops.common.errors import Refused
from training.enums import ATTENDED
from training.models import Certificate, Enumerator, FormKind, TrainingSession

# Without letters and digits that are taken for one another when a serial is read from paper.
_SERIAL_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def make_serial() -> str:
    """Long enough not to be guessed: the public page of a certificate is opened by it."""
    letters = "".join(secrets.choice(_SERIAL_LETTERS) for _unused in range(12))
    return f"{letters[:4]}-{letters[4:8]}-{letters[8:]}"


@transaction.atomic
def certify_attendees(
    training_session: TrainingSession,
    *,
    form_kind: FormKind,
    major_version: int,
    issued_on: date,
    expires_on: date | None = None,
) -> list[Certificate]:
    """Certify everybody who was there (also late) in every half-day, for a form that the training covered.

    Who has this certificate of this training already gets no second one. Refused while the training has no half-day,
    or one of them is still to come on ``issued_on``.
    """
    if not training_session.trained_forms.filter(form_kind=form_kind, major_version=major_version).exists():
        raise Refused(
            _("This training does not cover %(kind)s, version %(version)s.")
            % {"kind": form_kind, "version": major_version},
            code="form_not_covered",
        )
    half_days = training_session.half_days.count()
    if not half_days:
        raise Refused(_("This training has no half-days."), code="no_half_days")
    if training_session.half_days.filter(day__gt=issued_on).exists():
        raise Refused(_("The training is not over on that day."), code="training_not_over")
    full = (
        Enumerator.objects.filter(enrolments__training_session=training_session)
        .annotate(
            attended=Count(
                "enrolments__attendances",
                filter=Q(enrolments__training_session=training_session, enrolments__attendances__state__in=ATTENDED),
            )
        )
        .filter(attended=half_days)
        .exclude(
            certificates__in=Certificate.objects.filter(
                training_session=training_session, form_kind=form_kind, major_version=major_version, revoked_on=None
            )
        )
        .order_by("code")
    )
    return Certificate.objects.bulk_create(
        Certificate(
            serial=make_serial(),
            enumerator=person,
            form_kind=form_kind,
            major_version=major_version,
            training_session=training_session,
            issued_on=issued_on,
            expires_on=expires_on,
        )
        for person in full
    )


def revoke_certificate(certificate: Certificate, *, on: date, reason: str) -> None:
    """From ``on`` the certificate is no proof any more. Its row stays, with the reason."""
    if not reason.strip():
        raise Refused(_("Say why the certificate is revoked."), code="reason_missing")
    revoked = Certificate.objects.filter(pk=certificate.pk, revoked_on=None).update(
        revoked_on=on, revocation_reason=reason.strip()
    )
    if not revoked:
        raise Refused(_("This certificate is revoked already."), code="already_revoked")
    certificate.refresh_from_db()
