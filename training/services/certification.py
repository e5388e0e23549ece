"""Certificates: given by the rule, revoked with a reason. Nothing else writes them."""

import secrets
from calendar import monthrange
from datetime import date

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused
from training.models import Certificate, FormKind, TrainingSession
from training.selectors.certification import standings

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
    """Certify everybody who meets the rule (`training.selectors.certification`), for a form that the training covered.

    Who has this certificate of this training already gets no second one; two people who give certificates at once wait
    for one another. Without ``expires_on`` the course says how long it holds. Refused while the training has no
    half-day, or one of them is still to come on ``issued_on``.
    """
    training_session = TrainingSession.objects.select_for_update(no_key=True).get(pk=training_session.pk)
    expires_on = expires_on or default_expiry(training_session, issued_on=issued_on)
    _check_may_certify(training_session, form_kind, major_version, issued_on=issued_on, expires_on=expires_on)
    certified = set(
        training_session.certificates.filter(
            form_kind=form_kind, major_version=major_version, revoked_on=None
        ).values_list("enumerator_id", flat=True)
    )
    return Certificate.objects.bulk_create(
        Certificate(
            serial=make_serial(),
            enumerator=standing.enumerator,
            form_kind=form_kind,
            major_version=major_version,
            training_session=training_session,
            issued_on=issued_on,
            expires_on=expires_on,
        )
        for standing in standings(training_session, on=issued_on)
        if standing.meets_rule and standing.enumerator.pk not in certified
    )


def default_expiry(training_session: TrainingSession, *, issued_on: date) -> date | None:
    """So many calendar months later as the course says; None: it does not expire, or the training has no course."""
    months = training_session.course.certificate_months if training_session.course else None
    return add_months(issued_on, months) if months else None


def add_months(day: date, months: int) -> date:
    """The same day of a later month, or that month's last where it is shorter: 31 August and 6 months, 28 February."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def revoke_certificate(certificate: Certificate, *, on: date, reason: str, by: User | None) -> None:
    """From ``on`` the certificate is no proof any more. Its row stays, with the reason and who revoked it."""
    if not reason.strip():
        raise Refused(_("Say why the certificate is revoked."), code="reason_missing")
    if on < certificate.issued_on:
        raise Refused(_("On that day the certificate was not issued yet."), code="not_issued_yet")
    revoked = Certificate.objects.filter(pk=certificate.pk, revoked_on=None).update(
        revoked_on=on, revocation_reason=reason.strip(), revoked_by=by
    )
    if not revoked:
        raise Refused(_("This certificate is revoked already."), code="already_revoked")
    certificate.refresh_from_db()


def _check_may_certify(
    training_session: TrainingSession,
    form_kind: FormKind,
    major_version: int,
    *,
    issued_on: date,
    expires_on: date | None,
) -> None:
    if not training_session.trained_forms.filter(form_kind=form_kind, major_version=major_version).exists():
        raise Refused(
            _("This training does not cover %(kind)s, version %(version)s.")
            % {"kind": form_kind, "version": major_version},
            code="form_not_covered",
        )
    last_day = training_session.half_days.aggregate(last=Max("day"))["last"]
    if last_day is None:
        raise Refused(_("This training has no half-days."), code="no_half_days")
    if last_day > issued_on:
        raise Refused(_("The training is not over on that day."), code="training_not_over")
    if issued_on > timezone.localdate():
        raise Refused(_("A certificate is not issued on a day to come."), code="issued_in_the_future")
    if expires_on is not None and expires_on < issued_on:
        raise Refused(_("The certificate expires before it is issued."), code="expires_before_issue")
