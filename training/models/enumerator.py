import pghistory
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from training.enums import EnumeratorStatus, Sex
from training.querysets import EnumeratorQuerySet

# E.164: a plus sign and up to 15 digits, the first of them not 0.
E164 = r"^\+[1-9]\d{6,14}$"


@pghistory.track()
class Enumerator(models.Model):
    """A person of the roster. Not a login: ``user`` is NULL for who never logs in."""

    code = models.CharField(
        _("code"),
        max_length=12,
        unique=True,
        validators=[RegexValidator(r"^[A-Z0-9-]+$", _("Capital Latin letters, digits and hyphens only."))],
        help_text=_("What the person types into the form, e.g. E07."),
    )
    full_name = models.CharField(_("full name"), max_length=160)
    sex = models.CharField(_("sex"), max_length=6, choices=Sex.choices)
    languages = ArrayField(
        models.CharField(max_length=8), verbose_name=_("languages"), default=list, blank=True, help_text=_("kk, ru, en")
    )
    home_unit = models.ForeignKey(
        "locations.AdminUnit", on_delete=models.PROTECT, related_name="enumerators", verbose_name=_("home unit")
    )
    phone = models.CharField(
        _("phone"),
        max_length=16,
        blank=True,
        validators=[RegexValidator(E164, _("Write the phone as + and digits, e.g. +77011234567."))],
    )
    email = models.EmailField(_("e-mail"), blank=True)
    organisation = models.CharField(_("organisation"), max_length=120, blank=True)
    # NULL: not limited, or not known.
    contract_from = models.DateField(_("contract from"), null=True, blank=True)
    contract_to = models.DateField(_("contract to"), null=True, blank=True)
    kobo_username = models.CharField(_("Kobo user name"), max_length=150, blank=True)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="enumerator",
        verbose_name=_("login"),
    )
    status = models.CharField(
        _("status"), max_length=10, choices=EnumeratorStatus.choices, default=EnumeratorStatus.ACTIVE, editable=False
    )

    objects = EnumeratorQuerySet.as_manager()

    class Meta:
        verbose_name = _("enumerator")
        verbose_name_plural = _("enumerators")
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(
                fields=["kobo_username"],
                condition=~Q(kobo_username=""),
                name="enumerator_kobo_username_once",
                violation_error_message=_("Another enumerator has this Kobo user name."),
            ),
            models.CheckConstraint(
                condition=Q(contract_from=None) | Q(contract_to=None) | Q(contract_to__gte=F("contract_from")),
                name="enumerator_contract_in_order",
                violation_error_message=_("The contract ends before it begins."),
            ),
            models.CheckConstraint(
                condition=Q(phone="") | Q(phone__regex=E164),
                name="enumerator_phone_e164",
                violation_error_message=_("Write the phone as + and digits, e.g. +77011234567."),
            ),
            models.CheckConstraint(condition=Q(status__in=EnumeratorStatus.values), name="enumerator_status_known"),
        ]

    def __str__(self) -> str:
        return f"{self.full_name} ({self.code})"
