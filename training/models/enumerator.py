from collections.abc import Iterable
from typing import Any

import pghistory
import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from dtm_ops.common.spelling import skeleton
from training.enums import EnumeratorStatus, Sex
from training.querysets import EnumeratorQuerySet

# E.164: a plus sign and up to 15 digits, the first of them not 0.
E164 = r"^\+[1-9]\d{6,14}$"


# Whatever writes the columns (a form, an import, an update of many rows), what was in use keeps its dates. The first of
# its kind has no first day: it was in use before anybody asked. A day is UTC's.
keep_identities = pgtrigger.Trigger(
    name="keep_identities",
    operation=pgtrigger.Insert | pgtrigger.UpdateOf("phone", "email", "kobo_username", "user_id"),
    when=pgtrigger.After,
    declare=[("today", "DATE := (now() AT TIME ZONE 'UTC')::date"), ("one", "RECORD")],
    func="""
    FOR one IN SELECT * FROM (VALUES
        ('phone', CASE WHEN TG_OP = 'INSERT' THEN '' ELSE OLD.phone END, NEW.phone, NULL::bigint, NULL::bigint),
        ('email', CASE WHEN TG_OP = 'INSERT' THEN '' ELSE OLD.email END, NEW.email, NULL, NULL),
        ('kobo', CASE WHEN TG_OP = 'INSERT' THEN '' ELSE OLD.kobo_username END, NEW.kobo_username, NULL, NULL),
        ('login', '', '', CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE OLD.user_id END, NEW.user_id)
    ) AS used(kind, old, new, old_user, new_user)
    LOOP
        CONTINUE WHEN one.old = one.new AND one.old_user IS NOT DISTINCT FROM one.new_user;
        IF one.old <> '' OR one.old_user IS NOT NULL THEN
            DELETE FROM training_enumeratoridentity
                WHERE enumerator_id = NEW.id AND kind = one.kind AND valid_to IS NULL AND valid_from >= today
                AND value = one.old AND user_id IS NOT DISTINCT FROM one.old_user;
            UPDATE training_enumeratoridentity SET valid_to = today - 1
                WHERE enumerator_id = NEW.id AND kind = one.kind AND valid_to IS NULL
                AND value = one.old AND user_id IS NOT DISTINCT FROM one.old_user;
        END IF;
        IF one.new <> '' OR one.new_user IS NOT NULL THEN
            INSERT INTO training_enumeratoridentity (enumerator_id, kind, value, user_id, valid_from, note)
                SELECT NEW.id, one.kind, one.new, one.new_user,
                    CASE WHEN EXISTS (
                        SELECT 1 FROM training_enumeratoridentity AS past
                        WHERE past.enumerator_id = NEW.id AND past.kind = one.kind
                            OR past.kind = one.kind AND past.value = one.new
                                AND past.user_id IS NOT DISTINCT FROM one.new_user
                    ) THEN today END, ''
                WHERE NOT EXISTS (
                    SELECT 1 FROM training_enumeratoridentity AS same
                    WHERE same.enumerator_id = NEW.id AND same.kind = one.kind AND same.value = one.new
                        AND same.user_id IS NOT DISTINCT FROM one.new_user AND same.valid_to IS NULL);
        END IF;
    END LOOP;
    RETURN NULL;
    """,
)


@pghistory.track(exclude=["search_key"])
class Enumerator(models.Model):
    """A person of the roster. Not a login: ``user`` is NULL for who never logs in.

    ``phone``, ``email``, ``kobo_username`` and ``user`` are those in use now; the database keeps each of them, with its
    dates, as an `EnumeratorIdentity`. ``search_key`` is made from the names by `dtm_ops.common.spelling`.
    """

    code = models.CharField(
        _("code"),
        max_length=12,
        unique=True,
        validators=[RegexValidator(r"^[A-Z0-9-]+$", _("Capital Latin letters, digits and hyphens only."))],
        help_text=_("What the person types into the form, e.g. E07."),
    )
    full_name = models.CharField(_("full name"), max_length=160)
    other_names = ArrayField(
        models.CharField(max_length=160),
        verbose_name=_("other spellings of the name"),
        default=list,
        blank=True,
        help_text=_("As in the passport, in Russian, in Kazakh: with commas."),
    )
    search_key = models.TextField(_("search key"), editable=False, default="")
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
    has_vehicle = models.BooleanField(_("has a vehicle"), default=False)
    terms_of_reference = models.CharField(
        _("terms of reference"), max_length=160, blank=True, help_text=_("The document's number or address.")
    )
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

    # Since when, and why, the status is what it is; each earlier one stands in the history of statuses.
    status_since = models.DateField(_("status since"), null=True, blank=True, editable=False)
    status_reason = models.CharField(_("reason of the status"), max_length=240, blank=True, editable=False)
    # A redirect: this row was found to be the same person as the other.
    merged_into = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="merged",
        verbose_name=_("merged into"),
    )  # fmt: skip

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
            models.CheckConstraint(
                condition=Q(merged_into=None) | (Q(status=EnumeratorStatus.LEFT) & ~Q(merged_into=F("id"))),
                name="enumerator_merged_has_left",
                violation_error_message=_("Who was merged into another person has left."),
            ),
        ]
        triggers = [keep_identities]

    def __str__(self) -> str:
        return f"{self.full_name} ({self.code})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Rows written in bulk make their key themselves: `make_search_key`."""
        self.search_key = make_search_key(self.full_name, self.other_names)
        if (fields := kwargs.get("update_fields")) is not None and {"full_name", "other_names"} & set(fields):
            kwargs["update_fields"] = {*fields, "search_key"}
        super().save(*args, **kwargs)


def make_search_key(full_name: str, other_names: Iterable[str] = ()) -> str:
    """The skeletons of all words of all spellings, each between blanks: a word of the key begins after a blank."""
    skeletons = dict.fromkeys(word for name in (full_name, *other_names) for word in skeleton(name).split())
    return f" {' '.join(skeletons)} "
