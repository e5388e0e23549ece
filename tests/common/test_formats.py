from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from django.forms import DateField, DecimalField
from django.template import Context, Template
from django.utils import timezone, translation
from django.utils.formats import get_format, localize_input

TRAINING_DAY = date(2022, 11, 10)
# 14:05 in Almaty, which was UTC+6 in 2022.
FIRST_TEA_BREAK = datetime(2022, 11, 10, 8, 5, tzinfo=UTC)


def render(source: str, **values: object) -> str:
    with timezone.override("Asia/Almaty"):
        return Template(source).render(Context(values))


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("en", "10 November 2022 | 10 November 2022, 14:05 | 14:05 | 10 Nov 2022 | November 2022 | 10 November"),
        ("ru", "10 ноября 2022 г. | 10 ноября 2022 г., 14:05 | 14:05 | 10.11.2022 | Ноябрь 2022 г. | 10 ноября"),
        ("kk", "10.11.2022 | 10.11.2022 14:05 | 14:05 | 10.11.2022 | 2022 ж. қараша | 10 қараша"),
    ],
)
def test_dates_and_times_in_each_language_are_written_its_way(language: str, shown: str) -> None:
    with translation.override(language):
        source = (
            '{{ day }} | {{ at }} | {{ at|time }} | {{ day|date:"SHORT_DATE_FORMAT" }}'
            ' | {{ day|date:"YEAR_MONTH_FORMAT" }} | {{ day|date:"MONTH_DAY_FORMAT" }}'
        )
        assert render(source, day=TRAINING_DAY, at=FIRST_TEA_BREAK) == shown


def test_time_before_ten_in_every_language_has_two_digits() -> None:
    shown = []
    for language in ("en", "ru", "kk"):
        with translation.override(language):
            shown.append(render("{{ at }}", at=time(9, 5)))
    assert shown == ["09:05", "09:05", "09:05"]


@pytest.mark.parametrize(
    ("language", "shown"),
    [("en", "668,422 | 99.9"), ("ru", "668\xa0422 | 99,9"), ("kk", "668\xa0422 | 99,9")],
)
def test_numbers_in_each_language_have_its_separators(language: str, shown: str) -> None:
    with translation.override(language):
        assert render("{{ total }} | {{ share|floatformat:1 }}", total=668422, share=Decimal("99.94")) == shown


def test_week_in_every_language_begins_on_monday() -> None:
    assert [get_format("FIRST_DAY_OF_WEEK", language) for language in ("en", "ru", "kk")] == [1, 1, 1]


@pytest.mark.parametrize("language", ["en", "ru", "kk"])
@pytest.mark.parametrize("written", ["10.11.2022", "2022-11-10"])
def test_typed_date_in_every_language_is_read_day_first_or_iso(language: str, written: str) -> None:
    with translation.override(language):
        assert DateField(localize=True).clean(written) == TRAINING_DAY


def test_typed_date_month_first_is_refused_in_english() -> None:
    with translation.override("en"):
        assert [DateField().input_formats.index(shape) for shape in ("%Y-%m-%d", "%d/%m/%Y")] == [0, 2]
        assert not [shape for shape in DateField().input_formats if shape.startswith("%m")]


@pytest.mark.parametrize("language", ["ru", "kk"])
@pytest.mark.parametrize("written", ["668\xa0422,5", "668 422,5"])
def test_typed_number_with_spaces_and_comma_is_read(language: str, written: str) -> None:
    with translation.override(language):
        assert DecimalField(localize=True).clean(written) == Decimal("668422.5")


@pytest.mark.parametrize(
    ("language", "written"),
    [("en", "2022-11-10 08:05"), ("ru", "10.11.2022 08:05"), ("kk", "10.11.2022 08:05")],
)
def test_value_in_an_input_box_is_written_without_seconds(language: str, written: str) -> None:
    with translation.override(language):
        assert localize_input(FIRST_TEA_BREAK) == written
