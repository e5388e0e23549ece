import pghistory
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from assessments.enums import TypedKind
from assessments.models.assessment_round import AssessmentRound, RoundTarget
from assessments.models.focus_group_session import FocusGroupSession
from training.models import Enumerator


@pghistory.track()
class MatchAlias(models.Model):
    """What people of a round mean when they type something that we do not know: settled by hand once, applied to all
    that is typed alike, also to what comes later.
    """

    round = models.ForeignKey(
        AssessmentRound, on_delete=models.PROTECT, related_name="match_aliases", verbose_name=_("round")
    )
    kind = models.CharField(_("what is meant"), max_length=12, choices=TypedKind.choices)
    typed = models.CharField(_("as typed"), max_length=100)
    # Without case, spaces and script (``dtm_ops.common.spelling.fold``); for a code as it is compared.
    key = models.CharField(_("search key"), max_length=100, editable=False)
    enumerator = models.ForeignKey(
        Enumerator, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("enumerator")
    )
    target = models.ForeignKey(
        RoundTarget, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("target")
    )
    focus_group = models.ForeignKey(
        FocusGroupSession, on_delete=models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("focus group"),
    )  # fmt: skip
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("settled by")
    )
    settled_at = models.DateTimeField(_("settled at"), auto_now_add=True)

    class Meta:
        verbose_name = _("settled spelling")
        verbose_name_plural = _("settled spellings")
        ordering = ["round", "kind", "typed"]
        constraints = [
            models.UniqueConstraint(
                fields=["round", "kind", "key"],
                name="matchalias_once_a_round",
                violation_error_message=_("This spelling is settled already."),
            ),
            models.CheckConstraint(
                condition=Q(kind=TypedKind.PERSON, enumerator__isnull=False, target=None, focus_group=None)
                | Q(kind=TypedKind.PLACE, enumerator=None, target__isnull=False, focus_group=None)
                | Q(kind=TypedKind.FOCUS_GROUP, enumerator=None, target=None, focus_group__isnull=False),
                name="matchalias_says_one_thing",
                violation_error_message=_("Say what is meant: an enumerator, a target or a focus group."),
            ),
        ]

    def __str__(self) -> str:
        return f"“{self.typed}”: {self.enumerator or self.target or self.focus_group}"
