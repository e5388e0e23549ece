"""Reading again what we hold, when a person says so: the mapping was mended, a training day or a round's first day was
corrected. Nothing is asked of Kobo; what is approved stays as it is.
"""

from django.utils.translation import gettext as _

from assessments.models import KoboForm, KoboSubmission
from assessments.permissions import can_connect_kobo, can_match
from assessments.querysets import KoboSubmissionQuerySet
from assessments.services.kobo_rows import RowReader
from assessments.services.kobo_store import Store
from assessments.services.rereading import reread, reread_settled_meanwhile
from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused


def replay_refused(form: KoboForm, *, by: User) -> int:
    """Read again what could not be read, of what the user sees. Returns how many can be read now."""
    if not can_match(by):
        raise Refused(_("You may not have these forms read again."), code="not_allowed")
    return _replay(form, KoboSubmission.objects.visible_to(by))


def replay_one(submission: KoboSubmission, *, by: User) -> bool:
    """The same for one form. False: it still cannot be read. Refused where it can be already."""
    if not can_match(by, submission):
        raise Refused(_("You may not have this form read again."), code="not_allowed")
    if not KoboSubmission.objects.present().filter(pk=submission.pk, is_refused=True).exists():
        raise Refused(_("This form can be read, or was deleted at Kobo."), code="not_refused")
    return bool(_replay(submission.form, KoboSubmission.objects.filter(pk=submission.pk)))


def read_all_again(form: KoboForm, *, by: User | None) -> int:
    """Every form that is not approved: match, trial, flags, what cannot be read. Returns how many say another thing
    now. ``by`` None: the system.
    """
    if by is not None and not can_connect_kobo(by):
        raise Refused(_("Reading all forms again is for administrators."), code="not_allowed")
    return _reread_up_to_date(form, KoboSubmission.objects.all())


def _replay(form: KoboForm, rows: KoboSubmissionQuerySet) -> int:
    refused = rows.present().filter(form=form, is_refused=True, approved_revision=None)
    keys = set(refused.values_list("pk", flat=True))
    if not keys:
        return 0
    _reread_up_to_date(form, KoboSubmission.objects.filter(pk__in=keys))
    return KoboSubmission.objects.filter(pk__in=keys, is_refused=False).count()


def _reread_up_to_date(form: KoboForm, rows: KoboSubmissionQuerySet) -> int:
    """Also by what somebody settles while this lasts."""
    reader, store = RowReader(form), Store(form)
    changed = reread(form, rows, reader=reader, store=store)
    return changed + reread_settled_meanwhile(form, reader=reader, store=store)
