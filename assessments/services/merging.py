"""Merging two entries of the roster, with the work that hangs on them."""

from collections.abc import Iterator

from django.utils.translation import gettext as _

from assessments.models import SessionAssignment
from assessments.selectors.open_work import clash
from assessments.services.assignments import withdraw_assignment
from dtm_ops.accounts.models import User
from dtm_ops.records.models import Receipt
from training.models import Enumerator
from training.services.merging import Line, merge_people


def merge_with_work(keep: Enumerator, drop: Enumerator, *, by: User, reason: str) -> Receipt:
    """As `merge_people`. A person cannot be in one focus group twice, nor in two at one time: the place of the entry
    that goes is withdrawn, and its row moves as history.
    """
    return merge_people(keep, drop, by=by, reason=reason, prepare=_withdraw_second_places)


def _withdraw_second_places(keep: Enumerator, drop: Enumerator) -> Iterator[Line]:
    own = list(SessionAssignment.objects.active().filter(enumerator=keep))
    rows = SessionAssignment.objects.active().filter(enumerator=drop)
    for row in rows.select_related("focus_group__target__unit"):
        if any(clash(row, other) for other in own):
            withdraw_assignment(row)
            done = _("withdrawn: %(code)s is there, or elsewhere at that time") % {"code": keep.code}
            yield {
                "what": str(row._meta.verbose_name), "row": str(row.focus_group), "key": str(row.pk), "done": done,
            }  # fmt: skip
