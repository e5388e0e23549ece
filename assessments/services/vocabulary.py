"""The form kinds, indicators and categories that the product brings along. A mission adds its own beside them."""

import json
from pathlib import Path
from typing import Any

from django.db import transaction

from assessments.models import Category, Indicator
from training.models import FormKind

FILE = Path(__file__).resolve().parent.parent / "data" / "vocabulary.json"


@transaction.atomic
def load_vocabulary() -> dict[str, int]:
    """Add what is missing; what is there stays as the mission has it. Returns how many rows of each kind were added."""
    data = json.loads(FILE.read_text(encoding="utf-8"))
    added = {"form_kinds": 0, "indicators": 0, "categories": 0}
    for order, row in enumerate(data["form_kinds"]):
        _kind, made = FormKind.objects.get_or_create(code=row["code"], defaults={**row, "order": order})
        added["form_kinds"] += made
    for order, row in enumerate(data["indicators"]):
        indicator, made = Indicator.objects.get_or_create(
            code=row["code"], defaults={"names": row["names"], "base": row["base"], "order": order}
        )
        added["indicators"] += made
        before = indicator.categories.count()
        Category.objects.bulk_create(_categories(indicator, row["categories"]), ignore_conflicts=True)
        added["categories"] += indicator.categories.count() - before
    return added


def _categories(indicator: Indicator, rows: Any) -> list[Category]:
    if isinstance(rows, dict):
        first, last = rows["years"]
        rows = [{"code": str(year), "names": {}} for year in range(first, last + 1)]
    return [
        Category(indicator=indicator, code=row["code"], names=row["names"], order=order)
        for order, row in enumerate(rows)
    ]
