from datetime import date

import pghistory
import pgtrigger
from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from training.models.enumerator import Enumerator
from training.models.form_kind import FormKind
from training.models.training_session import TrainingSession
from training.querysets import CertificateQuerySet


@pghistory.track()
class Certificate(models.Model):
    """The proof that a person may use a form kind in a major version. Given and revoked by a service, never typed."""

    serial = models.CharField(_("serial"), max_length=24, unique=True)
    enumerator = models.ForeignKey(
        Enumerator, on_delete=models.PROTECT, related_name="certificates", verbose_name=_("enumerator")
    )
    form_kind = models.ForeignKey(
        FormKind, on_delete=models.PROTECT, related_name="certificates", verbose_name=_("form kind")
    )
    major_version = models.PositiveSmallIntegerField(_("major version"), validators=[MinValueValidator(1)])
    training_session = models.ForeignKey(
        TrainingSession, on_delete=models.PROTECT, related_name="certificates", verbose_name=_("training session")
    )
    issued_on = models.DateField(_("issued on"))
    # NULL: does not expire. The day itself is the last good one.
    expires_on = models.DateField(_("expires on"), null=True, blank=True)
    # NULL: not revoked. The day itself is the first bad one.
    revoked_on = models.DateField(_("revoked on"), null=True, blank=True)
    revocation_reason = models.CharField(_("reason of revocation"), max_length=240, blank=True)

    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="+",
        verbose_name=_("revoked by"),
    )  # fmt: skip

    objects = CertificateQuerySet.as_manager()

    class Meta:
        verbose_name = _("certificate")
        verbose_name_plural = _("certificates")
        ordering = ["enumerator__code", "form_kind__order", "-issued_on"]
        constraints = [
            models.UniqueConstraint(
                fields=["enumerator", "form_kind", "major_version", "training_session"],
                condition=Q(revoked_on=None),
                name="certificate_once_a_training",
                violation_error_message=_("This training already gave the person this certificate."),
            ),
            models.CheckConstraint(
                condition=Q(expires_on=None) | Q(expires_on__gte=F("issued_on")),
                name="certificate_expires_after_issue",
                violation_error_message=_("The certificate expires before it is issued."),
            ),
            models.CheckConstraint(
                condition=Q(revoked_on=None) | ~Q(revocation_reason=""),
                name="certificate_revocation_says_why",
                violation_error_message=_("Say why the certificate is revoked."),
            ),
        ]

        triggers = [
            pgtrigger.Trigger(
                name="covered_by_its_training",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                func="""
                IF NOT EXISTS (
                    SELECT 1 FROM training_trainedform AS covered
                    WHERE covered.training_session_id = NEW.training_session_id
                        AND covered.form_kind_id = NEW.form_kind_id AND covered.major_version = NEW.major_version
                ) THEN
                    RAISE EXCEPTION 'the training does not cover this form in this version'
                        USING ERRCODE = 'check_violation', CONSTRAINT = 'certificate_covered_by_its_training';
                END IF;
                RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return self.serial

    def is_valid_on(self, day: date) -> bool:
        """The same answer as ``CertificateQuerySet.valid_on`` for this one row."""
        return (
            self.issued_on <= day
            and (self.expires_on is None or day <= self.expires_on)
            and (self.revoked_on is None or day < self.revoked_on)
        )
