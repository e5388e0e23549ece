import pghistory
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from assessments.enums import FetchMedia
from assessments.models.assessment_round import AssessmentRound
from assessments.querysets import KoboFormQuerySet
from dtm_ops.common.encryption import EncryptedTextField
from training.models import FormKind


class KoboServer(models.Model):
    """A KoboToolbox server with the token of the account that reads it. The token is encrypted and never shown
    again.
    """

    name = models.CharField(_("name"), max_length=80)
    base_url = models.URLField(_("address"), unique=True, help_text=_("Like https://eu.kobotoolbox.org"))
    token = EncryptedTextField(_("token"), blank=True, editable=False)
    username = models.CharField(_("account"), max_length=150, blank=True, editable=False)

    class Meta:
        verbose_name = _("Kobo server")
        verbose_name_plural = _("Kobo servers")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


# Each run sets the time of the next one: that is no change of the connection.
@pghistory.track(
    pghistory.InsertEvent(),
    pghistory.UpdateEvent(
        condition=pghistory.AnyChange(exclude=["next_sync_at", "swept_at", "media_checked_at", "history_refused_at"])
    ),
    exclude=["hook_secret"],
)
class KoboForm(models.Model):
    """A Kobo project (asset) that brings the submissions of a form kind for a round."""

    server = models.ForeignKey(KoboServer, on_delete=models.PROTECT, related_name="forms", verbose_name=_("server"))
    asset_uid = models.CharField(_("asset uid"), max_length=40)
    name = models.CharField(_("name"), max_length=200, blank=True)
    form_kind = models.ForeignKey(FormKind, on_delete=models.PROTECT, verbose_name=_("form kind"))
    round = models.ForeignKey(
        AssessmentRound, on_delete=models.PROTECT, related_name="kobo_forms", verbose_name=_("round")
    )
    major_version = models.PositiveSmallIntegerField(_("major version"), default=1, validators=[MinValueValidator(1)])
    web_form_url = models.URLField(
        _("web form"),
        blank=True,
        help_text=_("Address of the form's page in a browser (Enketo), where it may be filled without KoboCollect."),
    )
    mapping = models.JSONField(_("mapping"), default=dict, help_text=_("Which question gives which figure."))
    is_active = models.BooleanField(_("synchronised"), default=True)
    sync_every = models.PositiveIntegerField(_("minutes between syncs"), default=15, validators=[MinValueValidator(1)])
    # NULL: at the next tick of beat.
    next_sync_at = models.DateTimeField(_("next sync at"), null=True, blank=True, editable=False)
    # When every id was last compared; NULL: never.
    swept_at = models.DateTimeField(_("compared row by row at"), null=True, editable=False)
    media_checked_at = models.DateTimeField(_("looked for late files at"), null=True, editable=False)
    # So many rows may be marked as deleted by the next sweep, though they are more than a run dares by itself. A person
    # says so, once: the sweep that uses it takes it away.
    deletions_released = models.PositiveIntegerField(_("deletions let through"), null=True, editable=False)
    # Since when the account may not read the project's history (who edited what); NULL: it may, as far as we know.
    history_refused_at = models.DateTimeField(_("history not readable since"), null=True, editable=False)
    write_back = models.BooleanField(
        _("decisions are written to Kobo"),
        default=True,
        help_text=_("As Kobo's validation status: approved, on hold, not approved."),
    )
    fetch_media = models.CharField(
        _("pictures and files"), max_length=8, choices=FetchMedia.choices, default=FetchMedia.ASKED
    )
    # Kobo's notices (REST Services) come to an address with this word in it and carry the secret in a header.
    hook_path = models.CharField(  # noqa: DJ001  many have none
        _("address for notices"), max_length=43, null=True, unique=True, editable=False
    )
    hook_secret = EncryptedTextField(_("secret for notices"), blank=True, editable=False)

    objects = KoboFormQuerySet.as_manager()

    class Meta:
        verbose_name = _("Kobo form")
        verbose_name_plural = _("Kobo forms")
        ordering = ["round", "form_kind"]
        constraints = [
            models.UniqueConstraint(
                fields=["server", "asset_uid"],
                name="koboform_once_a_server",
                violation_error_message=_("This project is already connected."),
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.asset_uid


@pghistory.track(exclude=["content"])
class KoboFormVersion(models.Model):
    """A version of the form as submissions name it (``__version__``)."""

    form = models.ForeignKey(KoboForm, on_delete=models.PROTECT, related_name="versions", verbose_name=_("form"))
    uid = models.CharField(_("version uid"), max_length=64)
    first_seen_at = models.DateTimeField(_("first seen at"))
    deployed_at = models.DateTimeField(_("deployed at"), null=True, editable=False)
    # As Kobo describes it: survey, choices, settings; NULL: not read yet.
    content = models.JSONField(_("questions"), null=True, editable=False)
    # NULL: the form's own mapping.
    mapping = models.JSONField(_("mapping of this version"), null=True, blank=True)
    last_accepted_on = models.DateField(
        _("last day accepted"),
        null=True,
        blank=True,
        help_text=_("Forms of this version that were filled after this day are flagged. Blank: no limit."),
    )

    class Meta:
        verbose_name = _("form version")
        verbose_name_plural = _("form versions")
        ordering = ["first_seen_at"]
        constraints = [models.UniqueConstraint(fields=["form", "uid"], name="formversion_once_a_form")]

    def __str__(self) -> str:
        return self.uid
