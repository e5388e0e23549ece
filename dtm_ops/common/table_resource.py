"""What imports and exports share: cells to values, every fault in words beside its column, formulas made harmless."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, ClassVar

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext as _
from import_export import fields, resources, widgets

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PHONE = re.compile(r"\+\d+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def neutralise(cell: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets an apostrophe before it. Numbers and phones stay."""
    if isinstance(cell, str) and cell.startswith(_FORMULA) and not _PHONE.fullmatch(cell):
        return f"'{cell}"
    return cell


class TextWidget(widgets.Widget):
    """Text as text: a code 7 that a spreadsheet took for a number stays "7"."""

    def clean(self, value: Any, row: Any = None, **_options: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            value = str(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        text = str(value)
        if _CONTROL.search(text):
            raise ValueError(_("has a character that cannot be stored"))
        text = text.strip()
        return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text

    def render(self, value: Any, obj: Any = None, **_options: Any) -> Any:
        return "" if value is None else str(value)


class ChoiceWidget(TextWidget):
    """One of the codes."""

    def __init__(self, codes: Any) -> None:
        super().__init__()
        self.codes = tuple(codes)

    def clean(self, value: Any, row: Any = None, **options: Any) -> str:
        text = super().clean(value, row, **options)
        if text not in self.codes:
            raise ValueError(_("“%(value)s” is none of: %(codes)s") % {"value": text, "codes": ", ".join(self.codes)})
        return text


class WholeNumberWidget(TextWidget):
    def clean(self, value: Any, row: Any = None, **options: Any) -> Any:
        text = super().clean(value, row, **options)
        if not text:
            return None
        if not re.fullmatch(r"[0-9]{1,9}", text):
            raise ValueError(_("“%(value)s” is not a whole number") % {"value": text})
        return int(text)

    def render(self, value: Any, obj: Any = None, **_options: Any) -> Any:
        return "" if value is None else value


class DayWidget(TextWidget):
    """A date of a spreadsheet, 2022-11-10 or 10.11.2022."""

    def clean(self, value: Any, row: Any = None, **options: Any) -> Any:
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
        text = super().clean(value, row, **options)
        if not text:
            return None
        turned = re.sub(r"^(\d{1,2})\.(\d{1,2})\.(\d{4})$", r"\3-\2-\1", text)
        try:
            return date(*map(int, turned[:10].split("-")))
        except (ValueError, TypeError):
            raise ValueError(_("“%(value)s” is not a date: write 2022-11-10 or 10.11.2022") % {"value": text}) from None

    def render(self, value: Any, obj: Any = None, force_native_type: bool = False, **_options: Any) -> Any:
        if value is None:
            return ""
        return value if force_native_type else value.isoformat()


class RowWidget(TextWidget):
    """A row of another table by its code. ``rows`` reads them, once; ``missing`` words what is not among them."""

    def __init__(self, rows: Callable[[], Mapping[str, Any]], *, code: str, missing: Promise | str) -> None:
        super().__init__()
        self.read, self.code, self.missing = rows, code, missing

    @cached_property
    def rows(self) -> Mapping[str, Any]:
        return self.read()

    def clean(self, value: Any, row: Any = None, **options: Any) -> Any:
        text = super().clean(value, row, **options)
        if not text:
            raise ValueError(_("is missing"))
        if text not in self.rows:
            raise ValueError(str(self.missing) % {"value": text})
        return self.rows[text]

    def render(self, value: Any, obj: Any = None, **_options: Any) -> Any:
        """Codes of a gazetteer may begin with zeros: text, not a number."""
        return "" if value is None else str(getattr(value, self.code))


class OutField(fields.Field):
    """A column that is written out and never read in."""

    def __init__(self, **options: Any) -> None:
        super().__init__(readonly=True, **options)


class TableResource(resources.ModelResource):
    """Rows by natural key. All faults of all rows at once; what is the same already is left alone.

    ``key_columns`` name a row within a file; ``guide`` says for the template what belongs in a column.
    """

    key_columns: ClassVar[tuple[str, ...]] = ()
    required_columns: ClassVar[tuple[str, ...]] = ()
    guide: ClassVar[dict[str, Promise]] = {}

    def __init__(self, *, user: Any, **_options: Any) -> None:
        super().__init__()
        self.user = user
        self.twice: set[tuple[str, ...]] = set()

    @classmethod
    def columns(cls) -> list[str]:
        """Headings that an import reads, in the template's order."""
        return [name for name in cls._meta.fields if not cls.fields[name].readonly]

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        unknown = [heading for heading in dataset.headers if heading not in self.fields]
        missing = [name for name in self.required_columns if name not in dataset.headers]
        faults = [_("Unknown column: %(column)s.") % {"column": name} for name in unknown]
        faults += [_("Column %(column)s is missing.") % {"column": name} for name in missing]
        if faults:
            known = _("The columns are: %(columns)s.") % {"columns": ", ".join(self.columns())}
            raise ValidationError([*faults, known])
        keys = Counter(self._key(row) for row in dataset.dict)
        self.twice = {key for key, count in keys.items() if count > 1}

    def get_instance(self, instance_loader: Any, row: Any) -> Any:
        """A key that cannot be read finds nobody; what is wrong with it is told with the row's other faults."""
        try:
            return super().get_instance(instance_loader, row)
        except ValueError:
            return None

    def after_init_instance(self, instance: Any, new: bool, row: Any, **kwargs: Any) -> None:
        instance.is_twice_in_file = self._key(row) in self.twice

    def validate_instance(
        self, instance: Any, import_validation_errors: Any = None, validate_unique: bool = True
    ) -> None:
        """The model's own rules, those of the file, and those of `check_row`, all told together."""
        errors: dict[str, Any] = dict(import_validation_errors or {})
        try:
            super().validate_instance(instance, import_validation_errors, validate_unique)
        except ValidationError as error:
            errors = error.update_error_dict({})
        own = [*self.check_row(instance, errors)]
        if instance.is_twice_in_file:
            own.append(_("stands in the file twice"))
        if own:
            errors.setdefault(NON_FIELD_ERRORS, []).extend(ValidationError(sentence) for sentence in own)
        if errors:
            raise ValidationError(errors)

    def skip_row(self, instance: Any, original: Any, row: Any, import_validation_errors: Any = None) -> bool:
        if instance.is_twice_in_file:
            return False
        return bool(super().skip_row(instance, original, row, import_validation_errors))

    def check_row(self, instance: Any, errors: dict[str, Any]) -> list[str]:
        """What else speaks against the row, in words. ``errors`` are those found so far, by attribute."""
        return []

    def export_resource(self, instance: Any, selected_fields: Any = None, **kwargs: Any) -> list[Any]:
        return [neutralise(cell) for cell in super().export_resource(instance, selected_fields, **kwargs)]

    def _key(self, row: Any) -> tuple[str, ...]:
        return tuple(self._shown(self.fields[name], row) for name in self.key_columns)

    def _shown(self, column: fields.Field, row: Any) -> str:
        try:
            return str(column.widget.render(column.widget.clean(row.get(column.column_name), row)))
        except ValueError:
            return str(row.get(column.column_name))
