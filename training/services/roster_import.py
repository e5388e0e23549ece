"""What an import of the roster does beside writing rows: who is not listed any more leaves, and a receipt is kept."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from dtm_ops.accounts.models import User
from dtm_ops.records.models import Receipt
from dtm_ops.records.receipts import write_receipt
from training.enums import EnumeratorStatus
from training.models import Enumerator
from training.services.roster import change_enumerator_status

RECEIPT = "roster_import"


def close_unlisted(people: Iterable[Enumerator], *, by: User, file_name: str) -> list[dict[str, str]]:
    """Let those people go, because the list that replaced the roster has them no more. Returns the receipt's lines."""
    reason = _("Not in the list that replaced the roster: %(file)s") % {"file": file_name}
    lines = []
    for person in people:
        change_enumerator_status(person, EnumeratorStatus.LEFT, by=by, reason=reason[:240])
        done = _("left; open work stays assigned until it is handed over")
        lines.append({"what": _("enumerator"), "row": str(person), "key": person.code, "done": done})
    return lines


def write_import_receipt(
    lines: Sequence[Mapping[str, Any]], counts: Mapping[str, int], *, by: User, file_name: str
) -> Receipt:
    title = _(
        "Import of the roster from %(file)s: %(new)s new, %(changed)s changed, %(same)s the same, %(closed)s closed"
    )
    return write_receipt(RECEIPT, title % {**counts, "file": file_name[:120]}, lines, by=by, about=Enumerator)


def import_receipt(pk: int, *, user: User) -> Receipt | None:
    """To who imported, and nobody else: its lines name people whom another may not see."""
    return Receipt.objects.filter(pk=pk, kind=RECEIPT, by=user).first()
