"""What one act did to many rows, kept line by line."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import models

from dtm_ops.accounts.models import User
from dtm_ops.records.models import Receipt

LONGEST_TITLE = 240


def write_receipt(
    kind: str,
    title: str,
    lines: Iterable[Mapping[str, Any]],
    *,
    by: User | None,
    about: models.Model | type[models.Model] | None = None,
) -> Receipt:
    """``about``: the row that it is the receipt of, or the kind of row. A long title is cut."""
    return Receipt.objects.create(
        kind=kind,
        title=title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…",
        lines=list(lines),
        by=by,
        subject_type=ContentType.objects.get_for_model(about) if about is not None else None,
        subject_id=about.pk if isinstance(about, models.Model) else None,
    )
