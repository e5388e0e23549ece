"""The roster as a table."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.conf.locale import LANG_INFO
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils import timezone, translation
from django.utils.functional import cached_property
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from import_export import fields

from dtm_ops.common.table_resource import (
    MERGE,
    REPLACE,
    Change,
    ChoiceWidget,
    DayWidget,
    OutField,
    RowsByKey,
    RowWidget,
    TableResource,
    TableResult,
    TextWidget,
    YesNoWidget,
    lock_imports_of,
)
from locations.models import AdminUnit
from locations.selectors.places_in_words import PlaceUnclear, read_places
from training.enums import EnumeratorStatus, IdentityKind, Sex, TestPart
from training.models import Enumerator, EnumeratorIdentity, TestAttempt, TrainingSession
from training.models.enumerator import make_search_key
from training.phones import normalise_phone
from training.services.attempts import Score, ScoreBook, faults_of, open_book, record_attempts
from training.services.identities import day_in_the_database, reopen_identities
from training.services.periods import period_words
from training.services.roster_import import close_unlisted, write_import_receipt

# Letters of Cyrillic that look like those of a code.
_LOOK_ALIKES: Final = dict(zip("АВСЕНІКМОРТХУЅЈ", "ABCEHIKMOPTXYSJ", strict=True))

_NAMES_TOLD: Final = 20


class CodeWidget(TextWidget):
    """Small letters are read as capitals. A letter that only looks right is the hardest fault to see: told by name."""

    def clean(self, value: Any, row: Any = None, **options: Any) -> str:
        code = super().clean(value, row, **options).upper()
        if not code.isascii():
            strange = next((letter for letter in code if letter in _LOOK_ALIKES), "")
            if strange:
                raise ValueError(
                    _now("the %(letter)s in “%(value)s” is a Cyrillic letter that looks like the Latin %(latin)s")
                    % {"letter": strange, "value": code, "latin": _LOOK_ALIKES[strange]}
                )
        return code


class NameWidget(TextWidget):
    def clean(self, value: Any, row: Any = None, **options: Any) -> str:
        name = super().clean(value, row, **options)
        if "?" in name:
            raise ValueError(
                _now("“%(value)s” has lost letters: save the file as .xlsx or CSV UTF-8") % {"value": name}
            )
        return name


class NamesWidget(NameWidget):
    def clean(self, value: Any, row: Any = None, **options: Any) -> Any:
        names = super().clean(value, row, **options).split(";")
        return list(dict.fromkeys(name.strip() for name in names if name.strip()))

    def render(self, value: Any, obj: Any = None, **_options: Any) -> str:
        return "; ".join(value or [])


class PhoneWidget(TextWidget):
    def clean(self, value: Any, row: Any = None, **options: Any) -> str:
        text = super().clean(value, row, **options)
        if "e" in text.casefold() and text[:1].isdigit():
            raise ValueError(
                _now("“%(value)s” has lost digits in a spreadsheet: write the phone as text") % {"value": text}
            )
        return normalise_phone(text)


class LanguagesWidget(TextWidget):
    """Codes, or the languages' own names and their names in English."""

    @cached_property
    def words(self) -> Mapping[str, str]:
        known = [(code, one) for code, one in LANG_INFO.items() if "name" in one]
        names = {str(one[key]).casefold(): code for code, one in known for key in ("name", "name_local")}
        return names | {code: code for code, _one in known}

    def clean(self, value: Any, row: Any = None, **options: Any) -> Any:
        typed = super().clean(value, row, **options).casefold().replace(";", ",").split(",")
        found = [self._read(word.strip()) for word in typed if word.strip()]
        return list(dict.fromkeys(found))

    def _read(self, word: str) -> str:
        code = self.words.get(word, word)
        if code.isascii() and code.isalpha() and len(code) in (2, 3):
            return code
        if any("CYRILLIC" in unicodedata.name(letter, "") for letter in word) and len(word) < 4:
            raise ValueError(_now("“%(value)s” is in Cyrillic letters: write kk, ru") % {"value": word})
        raise ValueError(_now("write the languages as codes with commas: kk, ru"))

    def render(self, value: Any, obj: Any = None, **_options: Any) -> str:
        return ", ".join(value or [])


class PlaceWidget(TextWidget):
    """By what `prepare` has found for all rows at once."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Mapping[str, AdminUnit | PlaceUnclear] = {}

    def clean(self, value: Any, row: Any = None, **options: Any) -> Any:
        text = super().clean(value, row, **options)
        place = self.found.get(text)
        if place is None:
            raise ValueError(_now("“%(value)s” is no place of the gazetteer within your area") % {"value": text})
        if isinstance(place, PlaceUnclear):
            raise place
        return place

    def render(self, value: Any, obj: Any = None, **_options: Any) -> Any:
        """Ids may begin with zeros: text, not a number."""
        return "" if value is None else str(value.unit_id)

    def show(self, value: Any) -> str:
        return "" if value is None else f"{value.name} ({value.unit_id})"


def _sexes() -> dict[str, str]:
    words = {"f": Sex.FEMALE.value, "ж": Sex.FEMALE.value, "ә": Sex.FEMALE.value,
             "m": Sex.MALE.value, "м": Sex.MALE.value, "е": Sex.MALE.value}  # fmt: skip
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            words |= {str(label).casefold(): value for value, label in Sex.choices}
    return words


class EnumeratorResource(TableResource):
    """By ``code``. Status is not imported: it changes by its own step, with a reason."""

    key_columns = ("code",)
    required_columns = ("code", "full_name", "sex", "home_unit")
    modes = (MERGE, REPLACE)
    guide = {
        "code": _("Required. Capital Latin letters, digits, hyphens: E07. Who has it already is changed."),
        "full_name": _("Required."),
        "other_names": _("Other spellings of the name, with semicolons."),
        "sex": _("Required: female or male."),
        "languages": _("Codes with commas: kk, ru"),
        "home_unit": _(
            "Required. The unit_id of the place in the gazetteer, like 195200000, or its code, or its name with the"
            " region: Karasay, Almaty region."
        ),
        "phone": _("As people write it: 8 701 123 45 67 or +77011234567."),
        "email": _("May be blank."),
        "organisation": _("May be blank."),
        "terms_of_reference": _("The document's number or address. May be blank."),
        "contract_from": _("A date: 2022-11-10 or 10.11.2022."),
        "contract_to": _("A date: 2022-11-10 or 10.11.2022."),
        "has_vehicle": _("yes or no. Blank: no."),
        "kobo_username": _("The account at KoboToolbox, if the person has one."),
    }

    code = fields.Field("code", "code", widget=CodeWidget())
    full_name = fields.Field("full_name", "full_name", widget=NameWidget())
    other_names = fields.Field("other_names", "other_names", widget=NamesWidget())
    sex = fields.Field("sex", "sex", widget=ChoiceWidget(Sex.values, _sexes))
    languages = fields.Field("languages", "languages", widget=LanguagesWidget())
    home_unit = fields.Field("home_unit", "home_unit", widget=PlaceWidget())
    phone = fields.Field("phone", "phone", widget=PhoneWidget())
    email = fields.Field("email", "email", widget=TextWidget())
    organisation = fields.Field("organisation", "organisation", widget=TextWidget())
    terms_of_reference = fields.Field("terms_of_reference", "terms_of_reference", widget=TextWidget())
    contract_from = fields.Field("contract_from", "contract_from", widget=DayWidget())
    contract_to = fields.Field("contract_to", "contract_to", widget=DayWidget())
    has_vehicle = fields.Field("has_vehicle", "has_vehicle", widget=YesNoWidget())
    kobo_username = fields.Field("kobo_username", "kobo_username", widget=TextWidget())
    status = OutField(column_name="status", attribute="status", widget=TextWidget())
    status_since = OutField(column_name="status_since", attribute="status_since", widget=DayWidget())
    status_reason = OutField(column_name="status_reason", attribute="status_reason", widget=TextWidget())

    class Meta:
        model = Enumerator
        import_id_fields = ["code"]
        fields = [
            "code", "full_name", "other_names", "sex", "languages", "home_unit", "phone", "email", "organisation",
            "terms_of_reference", "contract_from", "contract_to", "has_vehicle", "kobo_username", "status",
            "status_since", "status_reason",
        ]  # fmt: skip
        export_order = import_order = fields
        use_bulk = True
        instance_loader_class = RowsByKey

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.taken: set[str] = set()
        self.kobo_holders: dict[str, list[EnumeratorIdentity]] = {}
        self.kobo_lines: dict[str, list[str]] = {}
        self.named: list[Enumerator] = []
        self.receipt_lines: list[dict[str, str]] = []

    def get_queryset(self) -> QuerySet[Enumerator]:
        return Enumerator.objects.visible_to(self.user).select_related("home_unit")

    def prepare(self, dataset: Any) -> None:
        if not self.is_dry_run:
            lock_imports_of(Enumerator)
        names = {str(field.column_name): field for field in self.present}
        if "home_unit" in names:
            place: Any = names["home_unit"].widget
            texts = {_read_text(cell) for cell in dataset["home_unit"]}
            place.found = read_places(texts, user=self.user, on=timezone.localdate())
        if "kobo_username" in names:
            self._read_kobo_names(dataset)

    def load_rows(self, keys: Sequence[tuple[str, ...]]) -> Mapping[tuple[str, ...], Enumerator]:
        """Those whom the user sees, locked once they are to be written. The codes of others are theirs all the same."""
        codes = {code for (code,) in keys}
        people = Enumerator.objects.visible_to(self.user).filter(code__in=codes).order_by("pk")
        if not self.is_dry_run:
            people = people.select_for_update(of=("self",))
        found: dict[tuple[str, ...], Enumerator] = {(person.code,): person for person in people}
        units = AdminUnit.objects.in_bulk({person.home_unit_id for person in found.values()})
        for person in found.values():
            person.home_unit = units[person.home_unit_id]
        self.named = [*found.values()]
        known = Enumerator.objects.filter(code__in=codes).values_list("code", flat=True)
        self.taken = {code for code in known if (code,) not in found}
        return found

    def check_row(self, instance: Enumerator, errors: dict[str, Any]) -> list[str]:
        if instance.code in self.taken:
            errors["code"] = [ValidationError(_now("This code belongs to a person outside your area."))]
        if instance.merged_into_id is not None:
            sentence = _now("this entry was merged into %(person)s: change that one")
            errors.setdefault("code", [ValidationError(sentence % {"person": instance.merged_into})])
        self._check_contract(instance, errors)
        self._check_kobo_name(instance, errors)
        return []

    def save_instance(self, instance: Enumerator, is_create: bool, row: Any, **kwargs: Any) -> None:
        instance.search_key = make_search_key(instance.full_name, instance.other_names)
        super().save_instance(instance, is_create, row, **kwargs)

    def note(self, change: Change, instance: Enumerator) -> None:
        if self.is_dry_run:
            return
        done = _now("added") if change.is_new else _now("changed: %(columns)s")
        columns = ", ".join(cell.column for cell in change.cells)
        self.receipt_lines.append(
            {"what": _now("enumerator"), "row": change.title, "key": instance.code, "done": done % {"columns": columns}}
        )

    def bulk_update(self, *args: Any, **kwargs: Any) -> None:
        if not self.is_dry_run:
            reopen_identities(self.update_instances)
        super().bulk_update(*args, **kwargs)

    def made_columns(self, columns: Sequence[str]) -> list[str]:
        return ["search_key"] if {"full_name", "other_names"} & {*columns} else []

    def find_closing(self, result: TableResult) -> None:
        if self.mode == REPLACE:
            codes = {code for (code,) in self.keys}
            working = Enumerator.objects.visible_to(self.user).exclude(status=EnumeratorStatus.LEFT).order_by("code")
            result.closing = [person for person in working if person.code not in codes]
        left = [person for person in self.named if person.status == EnumeratorStatus.LEFT]
        if left:
            sentence = _now("Left already, and not taken back by the import: %(people)s.")
            result.remarks.append(sentence % {"people": _told(left)})

    def finish(self, result: TableResult, **kwargs: Any) -> None:
        file_name = str(kwargs.get("file_name") or "")
        lines = self.receipt_lines + close_unlisted(result.closing, by=self.user, file_name=file_name)
        if lines:
            counts = {"new": result.new, "changed": result.changed, "same": result.same, "closed": len(result.closing)}
            result.receipt = write_import_receipt(lines, counts, by=self.user, file_name=file_name)

    def _check_contract(self, instance: Enumerator, errors: dict[str, Any]) -> None:
        first, last = instance.contract_from, instance.contract_to
        if {"contract_from", "contract_to"} & errors.keys() or first is None or last is None:
            return
        if last < first:
            column = "contract_to" if any(one.attribute == "contract_to" for one in self.present) else "contract_from"
            errors[column] = [ValidationError(_now("The contract ends before it begins."))]

    def _read_kobo_names(self, dataset: Any) -> None:
        """Whose each name is from today on, and which lines ask for it."""
        lines: dict[str, list[str]] = {}
        for line, cell in zip(self.lines, dataset["kobo_username"], strict=True):
            if name := _read_text(cell):
                lines.setdefault(name, []).append(str(line))
        self.kobo_lines = {name: found for name, found in lines.items() if len(found) > 1}
        held = EnumeratorIdentity.objects.filter(
            Q(valid_to=None) | Q(valid_to__gte=day_in_the_database()), kind=IdentityKind.KOBO, value__in=lines
        )
        for identity in held.select_related("enumerator"):
            self.kobo_holders.setdefault(identity.value, []).append(identity)

    def _check_kobo_name(self, instance: Enumerator, errors: dict[str, Any]) -> None:
        name = instance.kobo_username
        if not name or "kobo_username" in errors:
            return
        if name in self.kobo_lines and self.key not in self.twice:
            sentence = _now("stands in the file more than once: lines %(lines)s")
            errors["kobo_username"] = [ValidationError(sentence % {"lines": ", ".join(self.kobo_lines[name])})]
        others = [one for one in self.kobo_holders.get(name, []) if one.enumerator_id != instance.pk]
        for other in others[:1]:
            sentence = _now("Another enumerator has this Kobo user name: %(person)s.")
            told = str(other.enumerator)
            if other.enumerator_id not in self._seen_holders:
                told = _now("a person outside your area")
            elif other.valid_from or other.valid_to:
                told = f"{told}, {period_words(other.valid_from, other.valid_to)}"
            errors["kobo_username"] = [ValidationError(sentence % {"person": told})]

    @cached_property
    def _seen_holders(self) -> set[int]:
        holders = {one.enumerator_id for found in self.kobo_holders.values() for one in found}
        return set(Enumerator.objects.visible_to(self.user).filter(pk__in=holders).values_list("pk", flat=True))


def _read_text(cell: Any) -> str:
    try:
        return TextWidget().clean(cell)
    except ValueError:
        return ""


def _told(people: Sequence[Enumerator]) -> str:
    """By name; of many, the first twenty and the number of the rest."""
    names = ", ".join(str(person) for person in people[:_NAMES_TOLD])
    more = len(people) - _NAMES_TOLD
    return names if more <= 0 else _now("%(names)s and %(number)s more") % {"names": names, "number": more}


class PointsWidget(TextWidget):
    """A number with a point or a comma; ``blank`` stands for an empty cell."""

    def __init__(self, *, blank: Decimal | None = None) -> None:
        super().__init__()
        self.blank = blank

    def clean(self, value: Any, row: Any = None, **options: Any) -> Any:
        text = super().clean(value, row, **options)
        if not text:
            return self.blank
        if not re.fullmatch(r"-?[0-9]{1,6}([.,][0-9]{1,9})?", text):
            raise ValueError(_now("“%(value)s” is not a number") % {"value": text})
        return Decimal(text.replace(",", "."))

    def render(self, value: Any, obj: Any = None, force_native_type: bool = False, **_options: Any) -> Any:
        if value is None:
            return ""
        return value if force_native_type else f"{value.normalize():f}"


class PersonWidget(RowWidget):
    def clean(self, value: Any, row: Any = None, **options: Any) -> Any:
        return super().clean(CodeWidget().clean(value), row, **options)


def _parts() -> dict[str, str]:
    """What people write for a part, in all languages."""
    words = {}
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            words.update({str(part.label).casefold(): part.value for part in TestPart})
    return words


class AttemptResource(TableResource):
    """Results of tests, one a row. What is recorded already with the same points on the same day stays; a result is
    corrected on its page, not by a file.
    """

    key_columns = ("training", "code", "part", "taken_on", "points")
    required_columns = ("training", "code", "part", "points", "taken_on")
    guide = {
        "training": _("Required. The code of the training session."),
        "code": _("Required. The code of the person, like E07."),
        "part": _("Required: theory or practical."),
        "points": _("Required. A number: 17 or 17.5."),
        "out_of": _("The most that could be had. Blank: 100."),
        "taken_on": _("Required. A date: 2022-11-10 or 10.11.2022."),
        "examiner": _("May be blank."),
        "note": _("May be blank."),
    }

    training = fields.Field("training_session", "training")
    code = fields.Field("enumerator", "code")
    name = OutField(column_name="name", attribute="enumerator__full_name", widget=TextWidget())
    part = fields.Field("part", "part", widget=ChoiceWidget(TestPart.values, _parts))
    number = OutField(column_name="number", attribute="number")
    points = fields.Field("points", "points", widget=PointsWidget())
    out_of = fields.Field("out_of", "out_of", widget=PointsWidget(blank=Decimal(100)))
    pass_mark = OutField(column_name="pass_mark", attribute="pass_mark")
    passed = OutField(column_name="passed", attribute="passed", widget=YesNoWidget())
    taken_on = fields.Field("taken_on", "taken_on", widget=DayWidget())
    examiner = fields.Field("examiner", "examiner", widget=TextWidget())
    note = fields.Field("note", "note", widget=TextWidget())

    class Meta:
        model = TestAttempt
        import_id_fields = ["training", "code", "part", "taken_on", "points"]
        fields = [
            "training", "code", "name", "part", "number", "points", "out_of", "pass_mark", "passed", "taken_on",
            "examiner", "note",
        ]  # fmt: skip
        export_order = import_order = fields
        use_bulk = True
        instance_loader_class = RowsByKey

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.books: dict[int, ScoreBook] = {}
        self.scores: dict[TrainingSession, list[Score]] = {}
        self.fields["training"].widget = RowWidget(
            self.trainings, code="code", missing=_("“%(value)s” is no training session within your reach")
        )
        self.fields["code"].widget = PersonWidget(
            self.people, code="code", missing=_("“%(value)s” is nobody of the roster within your area")
        )

    def trainings(self) -> dict[str, TrainingSession]:
        return {one.code: one for one in TrainingSession.objects.visible_to(self.user)}

    def people(self) -> dict[str, Enumerator]:
        return {one.code: one for one in Enumerator.objects.visible_to(self.user)}

    def filter_export(self, queryset: Any, **kwargs: Any) -> Any:
        """Checks of corrective tasks belong to no training, and no file brings them back."""
        return queryset.filter(training_session__isnull=False)

    def prepare(self, dataset: Any) -> None:
        if not self.is_dry_run:
            lock_imports_of(TestAttempt)

    def load_rows(self, keys: Sequence[tuple[str, ...]]) -> Mapping[tuple[str, ...], TestAttempt]:
        rows = TestAttempt.objects.visible_to(self.user).filter(
            training_session__code__in={key[0] for key in keys}, enumerator__code__in={key[1] for key in keys}
        )
        found: dict[tuple[str, ...], TestAttempt] = {}
        for row in rows.select_related("training_session", "enumerator").order_by("-number"):
            points = str(PointsWidget().render(row.points))
            found[row.training_session.code, row.enumerator.code, row.part, row.taken_on.isoformat(), points] = row  # type: ignore[union-attr]  # of trainings alone
        return found

    def check_row(self, instance: TestAttempt, errors: dict[str, Any]) -> list[str]:
        if not self.is_new:
            return [_now("This result is recorded with other words or out of other points: correct it on its page.")]
        if errors.keys() & {"training_session", "enumerator"}:
            return []
        training: Any = instance.training_session
        if training.pk not in self.books:
            self.books[training.pk] = open_book(training)
        # What could not be read is told already; something harmless stands for it while the rest is looked at.
        harmless: dict[str, Any] = {"points": Decimal(0), "out_of": Decimal(100), "taken_on": timezone.localdate()}
        score = replace(_score(instance), **{name: value for name, value in harmless.items() if name in errors})
        for column, sentence in faults_of(score, self.books[training.pk]).items():
            errors.setdefault(column, [ValidationError(sentence)])
        return []

    def bulk_create(self, *args: Any, **kwargs: Any) -> None:
        """Kept for `finish`: the service counts the attempts and gives them their pass mark."""
        for one in self.create_instances:
            self.scores.setdefault(one.training_session, []).append(_score(one))
        self.create_instances.clear()

    def finish(self, result: TableResult, **kwargs: Any) -> None:
        for training_session, scores in self.scores.items():
            record_attempts(training_session, scores, by=self.user)


def _score(attempt: TestAttempt) -> Score:
    return Score(
        attempt.enumerator, attempt.part, attempt.points, attempt.taken_on, out_of=attempt.out_of,
        examiner=attempt.examiner, note=attempt.note,
    )  # fmt: skip
