"""What imports and exports share: cells to values, every fault in words beside its column, formulas made harmless."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from hashlib import blake2b
from typing import Any, ClassVar, Final, NamedTuple

from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import DatabaseError, connection, models, transaction
from django.utils import translation
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext as _
from import_export import fields, resources, results, widgets
from import_export.instance_loaders import BaseInstanceLoader
from openpyxl.cell.cell import ERROR_CODES

from dtm_ops.common.sheets import CellError

MERGE: Final = "merge"
REPLACE: Final = "replace"
# So many changed rows are kept to be shown; the rest is counted.
MOST_SHOWN: Final = 200

# Text that a spreadsheet would take for a formula or an error, however many apostrophes stand before it already.
_FORMULA = re.compile(rf"'*(?:[=+\-@\t\r]|(?:{'|'.join(map(re.escape, ERROR_CODES))})$)")
_PHONE = re.compile(r"\+\d+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_SHORTENED = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+")
_DOTTED_DAY = re.compile(r"(\d{1,2})[./](\d{1,2})[./](\d{4})(?: 0?0:00(?::00)?)?")
_ISO_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]0?0:00(?::00)?)?")
# Spreadsheets count days from here; the years 1980 to 2079.
_DAY_ZERO = date(1899, 12, 30)
_DAY_NUMBERS = range(29221, 65746)


def neutralise(cell: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets an apostrophe before it. Numbers and phones stay."""
    if not isinstance(cell, str):
        return cell
    cell = _CONTROL.sub("", cell)
    return f"'{cell}" if _FORMULA.match(cell) and not _PHONE.fullmatch(cell) else cell


def is_blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


class TextWidget(widgets.Widget):
    """Text as text: a code 7 that a spreadsheet took for a number stays "7"."""

    def clean(self, value: Any, row: Any = None, **_options: Any) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            return _written(value)
        if isinstance(value, CellError):
            raise ValueError(_("the cell holds %(value)s instead of a value") % {"value": value})
        if not value.isascii():
            value = unicodedata.normalize("NFC", value)
        if not value.isprintable():
            if _CONTROL.search(value):
                raise ValueError(_("has a character that cannot be stored"))
            value = value.replace("\r\n", "\n").replace("\r", "\n")
        text = str(value.strip())
        return text[1:] if text.startswith("'") and _FORMULA.match(text) else text

    def render(self, value: Any, obj: Any = None, **_options: Any) -> Any:
        return "" if value is None else str(value)

    def show(self, value: Any) -> str:
        """As a change is shown to a reader: as it is written out, unless that says little."""
        return str(self.render(value))


def _written(value: Any) -> str:
    """A number or a date of a spreadsheet, as it would be typed."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, datetime) and not (value.hour or value.minute or value.second):
        value = value.date()
    return str(value)


class ChoiceWidget(TextWidget):
    """One of the codes. ``words`` are what people write instead, folded to small letters."""

    def __init__(self, codes: Any, words: Callable[[], Mapping[str, str]] = dict) -> None:
        super().__init__()
        self.codes, self._words = tuple(codes), words

    @cached_property
    def words(self) -> Mapping[str, str]:
        return {**self._words(), **{code: code for code in self.codes}}

    def clean(self, value: Any, row: Any = None, **options: Any) -> Any:
        text = super().clean(value, row, **options)
        found = self.words.get(text) or self.words.get(text.casefold())
        if found is None:
            raise ValueError(_("“%(value)s” is none of: %(codes)s") % {"value": text, "codes": ", ".join(self.codes)})
        return found


class YesNoWidget(ChoiceWidget):
    """yes or no in the three languages, or what a spreadsheet writes for it. Blank: no."""

    WORDS: Final = {
        **dict.fromkeys(["yes", "y", "true", "1", "да", "иә", "бар", "истина"], "yes"),
        **dict.fromkeys(["", "no", "n", "false", "0", "нет", "жоқ", "ложь"], "no"),
    }

    def __init__(self) -> None:
        super().__init__(["yes", "no"], lambda: self.WORDS)

    def clean(self, value: Any, row: Any = None, **options: Any) -> Any:
        return value if isinstance(value, bool) else super().clean(value, row, **options) == "yes"

    def render(self, value: Any, obj: Any = None, **_options: Any) -> str:
        return "yes" if value else "no"


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
    """A date of a spreadsheet (a number where its format was lost), 2022-11-10 or 10.11.2022."""

    def clean(self, value: Any, row: Any = None, **options: Any) -> Any:
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
        text = super().clean(value, row, **options)
        if not text:
            return None
        if text.isascii() and text.isdigit() and int(text) in _DAY_NUMBERS:
            return _DAY_ZERO + timedelta(days=int(text))
        try:
            if found := _ISO_DAY.fullmatch(text):
                return date(*map(int, found.groups()))
            if found := _DOTTED_DAY.fullmatch(text):
                day, month, year = map(int, found.groups())
                return date(year, month, day)
        except ValueError:
            pass
        raise ValueError(_("“%(value)s” is not a date: write 2022-11-10 or 10.11.2022") % {"value": text})

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


class Fault(NamedTuple):
    """``line`` and ``column`` as the person who filled the file in sees them; blank: the whole row, the whole file."""

    line: str
    column: str
    sentence: str
    value: str = ""


class Cell(NamedTuple):
    column: str
    old: str
    new: str


class Change(NamedTuple):
    """What a row of the file does to a row of the table."""

    line: str
    title: str
    is_new: bool
    cells: tuple[Cell, ...]


class TableResult(results.Result):
    """What the file would do, or did: ``changes`` are the first of them, ``closing`` who would be closed by a
    replacement, ``remarks`` what the reader should know. ``digest`` stands for all that would be written.
    """

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[Fault] = []
        self.changes: list[Change] = []
        self.closing: list[Any] = []
        self.remarks: list[str] = []
        self.digest = ""
        self.receipt: Any = None

    @property
    def same(self) -> int:
        return int(self.totals[results.RowResult.IMPORT_TYPE_SKIP])

    @property
    def new(self) -> int:
        return int(self.totals[results.RowResult.IMPORT_TYPE_NEW])

    @property
    def changed(self) -> int:
        return int(self.totals[results.RowResult.IMPORT_TYPE_UPDATE])

    @property
    def more_changes(self) -> int:
        return self.new + self.changed - len(self.changes)

    @property
    def rows_with_faults(self) -> int:
        return len({fault.line for fault in self.faults if fault.line})


class FileFaults(ValidationError):
    """The headings are wrong; the faults themselves are kept with those of the rows."""


class ChangedMeanwhile(Exception):
    """The import would not do any more what its check has shown."""


class RowsByKey(BaseInstanceLoader):
    """All rows that the file names, read at once by `TableResource.load_rows`."""

    def __init__(self, resource: "TableResource", dataset: Any = None) -> None:
        super().__init__(resource, dataset)
        self.rows = resource.load_rows(resource.keys)

    def get_instance(self, row: Any) -> Any:
        return self.rows.get(self.resource.key)


class TableResource(resources.ModelResource):
    """Rows by natural key. All faults of all rows at once; what is the same already is left alone.

    ``key_columns`` name a row within a file; ``guide`` says for the template what belongs in a column. A row is
    compared with what was read of it, not with a copy; a dry run checks and writes nothing.

    With ``Meta.use_bulk`` rows are written a thousand at a time and nothing asks the database about a single row: the
    model's constraints are then for `check_row` to tell, from what `prepare` and `load_rows` have read.
    """

    key_columns: ClassVar[tuple[str, ...]] = ()
    required_columns: ClassVar[tuple[str, ...]] = ()
    guide: ClassVar[dict[str, Promise]] = {}
    modes: ClassVar[tuple[str, ...]] = (MERGE,)

    class Meta:
        skip_diff = True
        skip_unchanged = True
        report_skipped = False
        batch_size = 1000

    def __init__(self, *, user: Any, mode: str = MERGE, **_options: Any) -> None:
        super().__init__()
        self.user, self.mode = user, mode
        self.keys: list[tuple[str, ...]] = []
        self.key: tuple[str, ...] = ()
        self.twice: dict[tuple[str, ...], list[str]] = {}
        self.lines: Sequence[int] = ()
        self.file_faults: list[Fault] = []
        self.number = 0
        self.is_new = False
        self.is_readable = True
        self.present: list[fields.Field] = []
        self.before: list[Any] = []
        self.cells: tuple[Cell, ...] = ()
        self.changes: list[Change] = []
        self.is_dry_run = True
        self._digest = blake2b(digest_size=16)

    @classmethod
    def columns(cls) -> list[str]:
        """Headings that an import reads, in the template's order."""
        return [name for name in cls._meta.fields if not cls.fields[name].readonly]

    @classmethod
    def headings(cls) -> dict[str, str]:
        """Every heading that is understood, folded: the columns' own names, and their labels in each language."""
        labels: dict[str, set[str]] = defaultdict(set)
        for language, _name in settings.LANGUAGES:
            with translation.override(language):
                for name in cls._meta.fields:
                    labels[fold_heading(_label(cls._meta.model, cls.fields[name]))].add(name)
        own = {fold_heading(name): name for name in cls._meta.fields}
        return {label: next(iter(names)) for label, names in labels.items() if len(names) == 1} | own

    @classmethod
    def get_result_class(cls) -> type[TableResult]:
        return TableResult

    @cached_property
    def import_fields(self) -> list[fields.Field]:
        return [self.fields[name] for name in self.columns()]

    def get_import_fields(self) -> list[fields.Field]:
        return self.import_fields

    def import_data(self, dataset: Any, dry_run: bool = False, **kwargs: Any) -> Any:
        self.is_dry_run = dry_run
        return super().import_data(dataset, dry_run=dry_run, **kwargs)

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        self.lines = getattr(dataset, "lines", None) or range(2, len(dataset) + 2)
        self._check_headings(dataset)
        self.is_readable = all(name in dataset.headers for name in self.key_columns)
        self.present = [field for field in self.import_fields if field.column_name in dataset.headers]
        if self.is_readable:
            self._read_keys(dataset)
            self.prepare(dataset)
        if self.file_faults:
            raise FileFaults([fault.sentence for fault in self.file_faults])

    def prepare(self, dataset: Any) -> None:
        """Read at once what all rows will ask for."""

    def load_rows(self, keys: Sequence[tuple[str, ...]]) -> Mapping[tuple[str, ...], Any]:
        """For `RowsByKey`: the rows of the table that the file names, by key. Who uses that loader has to say."""
        raise NotImplementedError

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        self.number = kwargs["row_number"]
        self.key = self.keys[self.number - 1]

    def import_row(self, row: Any, instance_loader: Any, **kwargs: Any) -> Any:
        if self.is_readable:
            return super().import_row(row, instance_loader, **kwargs)
        nothing = self.get_row_result_class()()
        nothing.import_type = results.RowResult.IMPORT_TYPE_SKIP
        return nothing

    def get_instance(self, instance_loader: Any, row: Any) -> Any:
        """A key that cannot be read finds nobody; what is wrong with it is told with the row's other faults."""
        try:
            return super().get_instance(instance_loader, row)
        except ValueError:
            return None

    def after_init_instance(self, instance: Any, new: bool, row: Any, **kwargs: Any) -> None:
        self.is_new = new
        self.cells = ()
        self.before = [None if new else field.get_value(instance) for field in self.present]

    def import_field(self, field: fields.Field, instance: Any, row: Any, is_m2m: bool = False, **kwargs: Any) -> None:
        """A blank cell of a row that exists keeps what is there, unless the list is replaced."""
        if is_blank(row.get(field.column_name)) and field.column_name in row:
            if field.column_name in self.required_columns:
                raise ValueError(_("is missing"))
            if not self.is_new and self.mode == MERGE:
                return
        super().import_field(field, instance, row, is_m2m, **kwargs)

    def skip_row(self, instance: Any, original: Any, row: Any, import_validation_errors: Any = None) -> bool:
        """What is the same already is not looked at any closer. A value that only its way through a file has changed
        (an odd blank, an old line end) is the same, and stays as it was.
        """
        if self.is_new or import_validation_errors or self.key in self.twice:
            return False
        self.cells = tuple(
            Cell(str(field.column_name), field.widget.show(old), field.widget.show(new))
            for field, old in zip(self.present, self.before, strict=True)
            if (new := field.get_value(instance)) != old and not self._is_as_written(field, instance, old, new)
        )
        return not self.cells

    def validate_instance(
        self, instance: Any, import_validation_errors: Any = None, validate_unique: bool = True
    ) -> None:
        """The model's own rules, those of the file, and those of `check_row`, all told together."""
        errors: dict[str, Any] = dict(import_validation_errors or {})
        if self._meta.clean_model_instances:
            try:
                super().validate_instance(instance, import_validation_errors, validate_unique)
            except ValidationError as error:
                errors = error.update_error_dict({})
        else:
            self._clean_columns(instance, errors)
        own = [*self.check_row(instance, errors)]
        if self.key in self.twice:
            sentence = _("stands in the file more than once: lines %(lines)s")
            fault = ValidationError(sentence % {"lines": ", ".join(self.twice[self.key])})
            column = self.key_columns[0] if len(self.key_columns) == 1 else NON_FIELD_ERRORS
            errors.setdefault(column, []).append(fault)
        if own:
            errors.setdefault(NON_FIELD_ERRORS, []).extend(ValidationError(sentence) for sentence in own)
        if errors:
            raise ValidationError(errors)

    def check_row(self, instance: Any, errors: dict[str, Any]) -> list[str]:
        """What else speaks against the row, in words. ``errors`` are those found so far, by attribute."""
        return []

    def save_instance(self, instance: Any, is_create: bool, row: Any, **kwargs: Any) -> None:
        if is_create:
            self.cells = tuple(
                Cell(str(field.column_name), "", shown)
                for field in self.present
                if (shown := field.widget.show(field.get_value(instance)))
            )
        change = Change(str(self.lines[self.number - 1]), str(instance), is_create, self.cells)
        self._digest.update(repr((self.key, is_create, self.cells)).encode())
        if len(self.changes) < MOST_SHOWN:
            self.changes.append(change)
        self.note(change, instance)
        if not self.is_dry_run or not self._meta.use_bulk:
            super().save_instance(instance, is_create, row, **kwargs)

    def note(self, change: Change, instance: Any) -> None:
        """A row that will be written."""

    def bulk_create(
        self, using_transactions: bool, dry_run: bool, raise_errors: bool, batch_size: Any = None, result: Any = None
    ) -> None:
        self._write(self.create_instances, result)

    def bulk_update(
        self, using_transactions: bool, dry_run: bool, raise_errors: bool, batch_size: Any = None, result: Any = None
    ) -> None:
        """As an insert that meets the row and updates it: a tenth of the time of Django's own update in bulk."""
        columns = [*(str(field.attribute) for field in self.present if field.attribute not in self.key_columns)]
        self._write(
            self.update_instances,
            result,
            update_conflicts=True,
            unique_fields=["pk"],
            update_fields=[*columns, *self.made_columns(columns)],
        )

    def made_columns(self, columns: Sequence[str]) -> list[str]:
        """Columns that are made from those, and written with them."""
        return []

    def after_import(self, dataset: Any, result: Any, **kwargs: Any) -> None:
        """Not the library's own: it moves sequences, and no row brings its number. ``expected`` is the digest of what
        the check has shown.
        """
        if result.invalid_rows or result.row_errors() or result.base_errors:
            result.faults = self._collect_faults(dataset, result)
            return
        self.find_closing(result)
        self._digest.update(repr([one.pk for one in result.closing]).encode())
        result.changes, result.digest = self.changes, self._digest.hexdigest()
        if self.is_dry_run:
            return
        if kwargs.get("expected") not in (None, result.digest):
            raise ChangedMeanwhile
        self.finish(result, **kwargs)

    def find_closing(self, result: TableResult) -> None:
        """Put into ``closing`` whom a replacement closes, and into ``remarks`` what the reader should know."""

    def finish(self, result: TableResult, **kwargs: Any) -> None:
        """The rows are written: what else belongs to the import, in its transaction."""

    def export_resource(self, instance: Any, selected_fields: Any = None, **kwargs: Any) -> list[Any]:
        return [neutralise(cell) for cell in super().export_resource(instance, selected_fields, **kwargs)]

    def _check_headings(self, dataset: Any) -> None:
        top, shown = str(getattr(dataset, "top", 1)), getattr(dataset, "shown", {})
        for heading in dataset.headers:
            if heading not in self.fields:
                sentence = _("Unknown column: %(column)s.") % {"column": heading}
                self.file_faults.append(Fault(top, shown.get(heading, heading), sentence))
        for name in self.required_columns:
            if name not in dataset.headers:
                sentence = _("Column %(column)s is missing.") % {"column": name}
                self.file_faults.append(Fault(top, name, sentence))

    def _read_keys(self, dataset: Any) -> None:
        places = [(self.fields[name], dataset.headers.index(name)) for name in self.key_columns]
        self.keys = [tuple(_shown(field, cells[place]) for field, place in places) for cells in dataset]
        lines: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for key, line in zip(self.keys, self.lines, strict=True):
            lines[key].append(str(line))
        # A key that is blank is told as that.
        self.twice = {key: found for key, found in lines.items() if len(found) > 1 and all(key)}

    def _is_as_written(self, field: fields.Field, instance: Any, old: Any, new: Any) -> bool:
        try:
            same = bool(field.widget.clean(neutralise(field.widget.render(old))) == new)
        except ValueError:
            return False
        if same:
            setattr(instance, str(field.attribute), old)
        return same

    def _clean_columns(self, instance: Any, errors: dict[str, Any]) -> None:
        """As `Model.clean_fields`, for the columns that the file has and changes."""
        for (attribute, column), before in zip(self._model_fields, self.before, strict=True):
            value = getattr(instance, column.attname)
            if attribute in errors or (column.blank and value in column.empty_values):
                continue
            if not self.is_new and getattr(before, "pk", before) == value:
                continue
            try:
                setattr(instance, column.attname, self._clean(column, value, instance))
            except ValidationError as error:
                errors[attribute] = error.error_list

    def _clean(self, column: Any, value: Any, instance: Any) -> Any:
        # The row behind a foreign key was found a moment ago; asking again is a query for each row.
        return value if isinstance(column, models.ForeignKey) and value is not None else column.clean(value, instance)

    @cached_property
    def _model_fields(self) -> list[tuple[str, Any]]:
        return [(str(one.attribute), self._meta.model._meta.get_field(str(one.attribute))) for one in self.present]

    def _write(self, instances: list[Any], result: Any, **how: Any) -> None:
        rows = [*instances]
        instances.clear()
        if self.is_dry_run or not rows:
            return
        try:
            with transaction.atomic():
                self._meta.model._base_manager.bulk_create(rows, **how)
        except DatabaseError as error:
            self.handle_import_error(result, error)

    def _collect_faults(self, dataset: Any, result: Any) -> list[Fault]:
        shown = getattr(dataset, "shown", {})
        columns = {str(one.attribute): str(one.column_name) for one in self.import_fields}
        faults = [*self.file_faults]
        faults += [
            Fault("", "", sentence)
            for error in result.base_errors
            if not isinstance(error.error, FileFaults)
            for sentence in _sentences(error.error)
        ]
        for row in result.error_rows:
            line = str(self.lines[row.number - 1])
            faults += [Fault(line, "", sentence) for error in row.errors for sentence in _sentences(error.error)]
        for row in result.invalid_rows:
            line, values = str(self.lines[row.number - 1]), dict(zip(result.diff_headers, row.values, strict=True))
            for attribute, sentences in row.error_dict.items():
                name = "" if attribute == NON_FIELD_ERRORS else columns.get(attribute, attribute)
                value = values.get(name)
                faults += [
                    Fault(line, shown.get(name, name), str(sentence), "" if is_blank(value) else _written(value))
                    for sentence in sentences
                ]
        order = {shown.get(name, name): number for number, name in enumerate(self.columns())}
        return sorted(faults, key=lambda fault: (int(fault.line or 0), order.get(fault.column, len(order))))


def fold_heading(text: Any) -> str:
    return re.sub(r"[\s_*]+", " ", str(text).casefold().replace("ё", "е")).strip()


def lock_imports_of(model: type[models.Model]) -> None:
    """Two imports into one table go one after the other; the second sees what the first has written."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"import {model._meta.label_lower}"])


def _label(model: type[models.Model], field: fields.Field) -> str:
    attribute = str(field.attribute).partition("__")[0]
    known = {one.name: one for one in model._meta.get_fields()}
    return str(getattr(known.get(attribute), "verbose_name", field.column_name))


def _shown(field: fields.Field, value: Any) -> str:
    """A part of a key, as its widget reads it; what cannot be read stays as it is."""
    try:
        return str(field.widget.render(field.widget.clean(value)))
    except ValueError:
        return "" if value is None else str(value)


def _sentences(error: BaseException) -> list[str]:
    return list(getattr(error, "messages", None) or [str(error)])
