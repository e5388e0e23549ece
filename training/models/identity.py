import pghistory
from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Concat
from django.utils.translation import gettext_lazy as _

from training.enums import OWN_IDENTITIES, IdentityKind
from training.models.enumerator import Enumerator
from training.models.periods import days, one_point
from training.querysets import EnumeratorIdentityQuerySet


@pghistory.track()
class EnumeratorIdentity(models.Model):
    """By what a person was known, and when: a login, a Kobo user name, a phone, a mailbox. NULL dates: not limited.

    What is in use now is written by the database itself (see `Enumerator`); others, and better dates, by hand.
    """

    enumerator = models.ForeignKey(
        Enumerator, on_delete=models.PROTECT, related_name="identities", verbose_name=_("enumerator")
    )
    kind = models.CharField(_("kind"), max_length=8, choices=IdentityKind.choices)
    # Blank for a login: that is the user.
    value = models.CharField(_("value"), max_length=254, blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="identities",
        verbose_name=_("login"),
    )  # fmt: skip
    valid_from = models.DateField(_("first day"), null=True, blank=True)
    valid_to = models.DateField(_("last day"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=160, blank=True)

    objects = EnumeratorIdentityQuerySet.as_manager()

    class Meta:
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        ordering = ["enumerator", "kind", F("valid_from").asc(nulls_first=True)]
        indexes = [models.Index(fields=["kind", "value"], name="identity_value")]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind=IdentityKind.LOGIN, value="", user__isnull=False)
                | (~Q(kind=IdentityKind.LOGIN) & ~Q(value="") & Q(user=None)),
                name="identity_login_is_a_user",
                violation_error_message=_("A login names a user; everything else has a value."),
            ),
            models.CheckConstraint(
                condition=Q(valid_from=None) | Q(valid_to=None) | Q(valid_to__gte=F("valid_from")),
                name="identity_days_in_order",
                violation_error_message=_("The last day is before the first."),
            ),
            ExclusionConstraint(
                name="identity_of_one_person_at_a_time",
                expressions=[
                    (
                        one_point(
                            Func(
                                Concat(F("kind"), Value(":"), F("value"), Value(":"), F("user_id"),
                                       output_field=models.TextField()),
                                Value(0),
                                function="hashtextextended",
                                output_field=models.BigIntegerField(),
                            )
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                    (days("valid_from", "valid_to"), RangeOperators.OVERLAPS),
                ],
                condition=Q(kind__in=OWN_IDENTITIES),
                violation_error_message=_("This is another person's at the same time."),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.user or self.value}"
