"""From the answers of a form to figures, by a mapping that is data.

A mapping lies beside its form as ``mapping.json``, so that other missions' forms become figures without code.
Each place where an answer may be is a list of paths, first hit wins: a question renamed in a later version keeps its
series. This module knows neither Django nor the gazetteer; whether a unit exists is for the caller to say.

Shape of the JSON (only ``schema`` and ``figures`` have to be there)::

    {"schema": 1, "kind": "baseline_area",
     "head": {"focus_group": ["head/focus_group"], "unit": ["head/district"], ...},
     "dont_know": ["dk"], "not_listed": ["not_listed"],
     "figures": [
       {"indicator": "present", "path": ["people/total"]},
       {"indicator": "sex", "category": "male", "path": ["sex/men"], "known": ["sex/known"]},
       {"indicator": "reason", "category": "covid", "path": ["reasons/covid_percent"], "share_of": ["people/total"]},
       {"indicator": "present", "path": ["families"], "times": ["family_size"]},
       {"indicator": "household", "constant": 1},
       {"indicator": "present", "repeat": ["villages"], "unit": ["villages/code"], "value": ["villages/estimate"]},
       {"indicator": "sex", "category": "female", "repeat": ["buses"], "value": ["buses/women"], "sum": true},
       {"indicator": "sex", "repeat": ["members"], "category": ["members/sex"], "constant": 1},
       {"indicator": "nationality", "repeat": ["nations"], "category": ["nations/code"], "value": ["nations/number"],
        "recode": {"uzb": "UZ"}, "categories": ["UZ", "RU"]}],
     "people": {"repeat": ["informants"], "code": ["informants/code"], "type": [...], "sex": [...]}}

``category`` as text is fixed, as a list it is where the answer is. ``categories`` lists what such an answer may be, or
gives a range of years: ``{"from": 2000, "to": 2099}``.

A repeat inside another one is named by its own path; its rows are read together with the answers of the row around
them, so that their place may be asked there. ``share_of`` and ``times`` look in the row first, then in the form.

``times`` multiplies: a number (``2.5``), or where one is answered, in the instance of the repeat or in the form; the
result is rounded half up. Not answered or not known, it makes the figure unknown, but nothing times whatever is 0.
``constant`` is the same for every form, and in a repeat for every instance that is not blank; whose category is asked
and left blank gives none, and one not known makes the breakdown unknown. In a repeat, ``sum`` adds up what has the same
place and category, where it would otherwise be refused as listed twice; constants are always added up. A sum with a
part that nobody knew is not known.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from assessments.kobo.counts import LARGEST, multiply, parse_count, parse_factor, parse_share, take_share
from assessments.kobo.errors import KoboPayloadError, Problem
from assessments.kobo.mapping_checks import check_mapping
from assessments.kobo.payloads import clean_text

Answers = Map[str, object]
Paths = tuple[str, ...]
_SHOWN = 100
EVERYDAY = 10_000


@dataclass(frozen=True, slots=True)
class FigureRule:
    """Where one figure, or in a repeat one row of figures, is found.

    ``category`` is the fixed code, "" where ``category_paths`` say it, None where the indicator has none. ``factor`` is
    a ``times`` that is a number, ``times`` where it is an answer.
    """

    indicator: str
    value: Paths
    category: str | None = None
    category_paths: Paths = ()
    categories: frozenset[str] | None = None
    recode: Map[str, str] = field(default_factory=dict)
    known: Paths = ()
    share_of: Paths = ()
    repeat: Paths = ()
    unit: Paths = ()
    times: Paths = ()
    factor: Fraction | None = None
    constant: int | None = None
    is_sum: bool = False
    # Digits and a fixed category; in a repeat a place beside them: read without a closer look where they look right.
    is_plain: bool = False
    is_plain_row: bool = False


@dataclass(frozen=True, slots=True)
class Mapping:
    """A checked mapping. Made by ``load_mapping`` only. ``gates``: one rule for each different ``known``. ``everyday``:
    small numbers as most answers write them. ``plan``: the figures with the path of those that such an answer gives
    without a closer look ("": none), indicator, category and rule.
    """

    kind: str | None
    head: Map[str, Paths]
    figures: tuple[FigureRule, ...]
    gates: tuple[FigureRule, ...]
    people: Map[str, Paths]
    dont_know: frozenset[str]
    not_listed: frozenset[str]
    largest: int
    everyday: Map[str, int]
    plan: tuple[tuple[str, str, str | None, FigureRule], ...]


@dataclass(frozen=True, slots=True)
class Head:
    """What a form says about itself, as typed: neither the codes nor the unit are known to exist. None = not said.

    A place that is "not in the list" gives ``unit_id`` None; ``place_text`` then says what the enumerator wrote.
    """

    focus_group: str | None = None
    enumerator: str | None = None
    round: str | None = None
    unit_id: str | None = None
    place_text: str | None = None
    day: dt.date | None = None
    gps: str | None = None
    access: str | None = None
    consent: str | None = None


class FormFigure(NamedTuple):
    """One number of a form. ``unit`` None = the form's own unit; ``value`` None = the informants did not know.

    Category None of an indicator that has categories (value None) = the whole breakdown was not known.
    """

    unit: str | None
    indicator: str
    category: str | None
    value: int | None


@dataclass(frozen=True, slots=True)
class Person:
    """A key informant as a form quotes one: a pseudonymous code and what is said about the source, never a name."""

    code: str | None = None
    type: str | None = None
    sex: str | None = None
    basis: str | None = None
    how: str | None = None


def load_mapping(data: object) -> Mapping:
    """Return the mapping, or raise ``MappingError`` with everything that is wrong in it."""
    checked = check_mapping(data)
    rules = tuple(_load_rule(entry) for entry in checked["figures"])
    return Mapping(
        kind=checked.get("kind"),
        head={name: tuple(paths) for name, paths in checked.get("head", {}).items()},
        figures=rules,
        gates=tuple({rule.known: rule for rule in rules if rule.known}.values()),
        people={name: tuple(paths) for name, paths in checked.get("people", {}).items()},
        dont_know=frozenset(checked.get("dont_know", ())),
        not_listed=frozenset(checked.get("not_listed", ())),
        largest=(largest := checked.get("largest", LARGEST)),
        everyday={
            text: number
            for number in range(EVERYDAY)
            if number <= largest and (text := str(number)) not in checked.get("dont_know", ())
        },
        plan=tuple(
            (rule.value[0] if rule.is_plain and not rule.known else "", rule.indicator, rule.category, rule)
            for rule in rules
        ),
    )


def read_head(mapping: Mapping, answers: Answers) -> Head:
    """Read the head leniently: what is missing or of an odd type is None, nothing is ever raised."""
    texts = {name: _read_text(answers, paths) for name, paths in mapping.head.items()}
    unit = texts.pop("unit", None)
    day = texts.pop("date", None)
    return Head(unit_id=None if unit in mapping.not_listed else unit, day=_read_day(day), **texts)


def read_figures(mapping: Mapping, answers: Answers) -> tuple[FormFigure, ...]:
    """Return the figures in the mapping's order, or raise ``KoboPayloadError`` with every wrong answer at once.

    A blank answer, an absent question and a blank instance of a repeat give no figure; 0 is a figure. A row of a repeat
    for a place that is "not in the list" gives none either: its people stay in the form's own total.
    """
    figures: list[FormFigure] = []
    problems: list[Problem] = []
    unknown = {rule.known: _is_unknown(mapping, _find(answers, rule.known)[1]) for rule in mapping.gates}
    # Most answers are small numbers with a fixed category: this loop is most of what a sync computes.
    look_up, everyday, make = answers.get, mapping.everyday, tuple.__new__
    closer = False
    for path, indicator, category, rule in mapping.plan:
        if path and type(raw := look_up(path)) is str and (number := everyday.get(raw)) is not None:
            figures.append(make(FormFigure, (None, indicator, category, number)))
        elif rule.known and unknown[rule.known]:
            figures.append(FormFigure(None, indicator, category or None, None))
        elif rule.is_plain and type(raw := look_up(rule.value[0])) is str and (number := everyday.get(raw)) is not None:
            figures.append(make(FormFigure, (None, indicator, category, number)))
        elif rule.repeat:
            closer = True
            figures.extend(_read_repeat(mapping, rule, answers, problems))
        else:
            closer = closer or bool(rule.category_paths)
            figure = _read_row(mapping, rule, answers, answers, problems)
            if figure is not None:
                figures.append(figure)
    if closer and not problems:
        problems.extend(_find_repeated(figures, _read_text(answers, mapping.head.get("unit", ()))))
    if problems:
        raise KoboPayloadError(*problems)
    return tuple(figures)


def read_people(mapping: Mapping, answers: Answers) -> tuple[Person, ...]:
    """Return the key informants quoted in the form, leniently; blank instances are left out."""
    repeat, *_ = [answers[path] for path in mapping.people.get("repeat", ()) if path in answers] or [None]
    if not isinstance(repeat, list):
        return ()
    names = [name for name in mapping.people if name != "repeat"]
    rows = [row for row in repeat if isinstance(row, dict)]
    people = [Person(**{name: _read_text(row, mapping.people[name]) for name in names}) for row in rows]
    return tuple(person for person in people if person != Person())


def _load_rule(entry: Map[str, object]) -> FigureRule:
    def paths(name: str) -> Paths:
        found = entry.get(name, ())
        return tuple(found) if isinstance(found, list) else ()

    category = entry.get("category")
    allowed = entry.get("categories")
    if isinstance(allowed, dict):
        allowed = [str(year) for year in range(allowed["from"], allowed["to"] + 1)]
    recode, constant, times = entry.get("recode"), entry.get("constant"), entry.get("times")
    return FigureRule(
        indicator=str(entry["indicator"]),
        value=paths("value") or paths("path"),
        category="" if isinstance(category, list) else category if isinstance(category, str) else None,
        category_paths=paths("category"),
        categories=frozenset(allowed) if isinstance(allowed, list) else None,
        recode=recode if isinstance(recode, dict) else {},
        known=paths("known"),
        share_of=paths("share_of"),
        repeat=paths("repeat"),
        unit=paths("unit"),
        times=paths("times"),
        factor=Fraction(str(times)) if isinstance(times, int | float) else None,
        constant=constant if isinstance(constant, int) else None,
        is_sum=entry.get("sum") is True or constant is not None,
        is_plain=constant is None and not (_CLOSER_LOOK & entry.keys() or isinstance(category, list)),
        is_plain_row=constant is None
        and {"repeat", "unit"} <= entry.keys()
        and not ((_CLOSER_LOOK | {"known"}) - {"repeat"} & entry.keys() or isinstance(category, list)),
    )


_CLOSER_LOOK = frozenset({"repeat", "share_of", "times"})


def _read_repeat(mapping: Mapping, rule: FigureRule, answers: Answers, problems: list[Problem]) -> Iterator[FormFigure]:
    path, rows = _find(answers, rule.repeat)
    if rows is None:
        path, rows = _find_inside(answers, rule.repeat)
    if rows is None:
        return
    if not isinstance(rows, list):
        problems.append(Problem("wrong_shape", path, _show(rows)))
        return
    figures = _read_rows(mapping, rule, answers, path, rows, problems)
    if rule.is_sum:
        yield from _add_up(mapping, figures, path, problems)
        return
    seen: set[tuple[str | None, str | None]] = set()
    for figure in figures:
        if (figure.unit, figure.category) in seen:
            twice = (rule.unit or rule.category_paths or rule.value)[0]
            problems.append(Problem("listed_twice", twice, figure.unit or figure.category or ""))
        seen.add((figure.unit, figure.category))
        yield figure


def _read_rows(
    mapping: Mapping, rule: FigureRule, answers: Answers, path: str, rows: list[object], problems: list[Problem]
) -> Iterator[FormFigure]:
    for row in rows:
        if not isinstance(row, dict):
            problems.append(Problem("wrong_shape", path, _show(row)))
            continue
        figure = _read_plain_row(mapping, rule, row) if rule.is_plain_row else None
        if figure is None:
            figure = _read_row(mapping, rule, answers, row, problems)
        if figure is not None:
            yield figure


def _read_plain_row(mapping: Mapping, rule: FigureRule, row: Answers) -> FormFigure | None:
    """An everyday number of a place that is named by a plain code; None where it takes a closer look."""
    unit, raw = row.get(rule.unit[0]), row.get(rule.value[0])
    if type(raw) is not str or type(unit) is not str or (number := mapping.everyday.get(raw)) is None:
        return None
    if not unit.isascii() or not unit.isprintable() or unit in mapping.not_listed or unit != unit.strip() or not unit:
        return None
    return FormFigure(unit, rule.indicator, rule.category, number)


def _add_up(
    mapping: Mapping, figures: Iterable[FormFigure], path: str, problems: list[Problem]
) -> Iterator[FormFigure]:
    sums: dict[tuple[str | None, str, str | None], int | None] = {}
    for figure in figures:
        before = sums.get(figure[:3], 0)
        sums[figure[:3]] = None if before is None or figure.value is None else before + figure.value
    for key, value in sums.items():
        if value is not None and value > mapping.largest:
            problems.append(Problem("too_large", path, str(value)))
        else:
            yield FormFigure(*key, value)


def _find_repeated(figures: list[FormFigure], own_unit: str | None) -> Iterator[Problem]:
    """Find a figure given twice: by two entries of the mapping, or by a form that lists its own unit."""
    if len({figure[:3] for figure in figures}) == len(figures) and own_unit not in {figure[0] for figure in figures}:
        return
    keys = [(None if figure[0] == own_unit else figure[0], figure[1], figure[2]) for figure in figures]
    seen: set[tuple[str | None, str, str | None]] = set()
    for figure, key in zip(figures, keys, strict=True):
        if key in seen:
            yield Problem("listed_twice", figure.indicator, figure.unit or figure.category or "")
        seen.add(key)


def _read_row(
    mapping: Mapping, rule: FigureRule, answers: Answers, row: Answers, problems: list[Problem]
) -> FormFigure | None:
    """Read one figure; ``row`` is the instance of the repeat, or the answers themselves."""
    path, raw = _find_constant(rule, row) if rule.constant is not None else _find(row, rule.value)
    unknown = (rule.constant is None and _is_unknown(mapping, raw)) or (
        bool(rule.repeat and rule.known) and _is_unknown(mapping, _find(row, rule.known)[1])
    )
    if raw is None and not unknown:
        return None
    found = len(problems)
    unit = _read_unit(rule, row, problems)
    if rule.constant is not None and rule.category_paths:
        unknown = unknown or _is_unknown(mapping, _find(row, rule.category_paths)[1])
        category = None if unknown else _read_category(rule, row, problems)
    else:
        category = _read_category(rule, row, problems) if rule.category_paths else rule.category
    value = None if unknown else _read_value(mapping, rule, answers, row, path, raw, problems)
    if len(problems) > found or (unit is not None and unit in mapping.not_listed):
        return None
    return FormFigure(unit, rule.indicator, category, value)


def _read_unit(rule: FigureRule, row: Answers, problems: list[Problem]) -> str | None:
    if not rule.unit:
        return None
    path, raw = _find(row, rule.unit)
    if raw is not None and not isinstance(raw, str):
        problems.append(Problem("wrong_shape", path, _show(raw)))
        return None
    unit = clean_text(raw or "").strip()
    if not unit:
        problems.append(Problem("repeat_without_unit", path, ""))
    return unit


def _read_category(rule: FigureRule, row: Answers, problems: list[Problem]) -> str | None:
    path, raw = _find(row, rule.category_paths)
    if isinstance(raw, dict | list):
        problems.append(Problem("wrong_shape", path, _show(raw)))
        return None
    text = "" if raw is None else clean_text(str(raw)).strip()
    category = rule.recode.get(text, text)
    if not category or (rule.categories is not None and category not in rule.categories):
        problems.append(Problem("unknown_category", path, _show(text)))
        return None
    return category


def _read_value(
    mapping: Mapping, rule: FigureRule, answers: Answers, row: Answers, path: str, raw: object, problems: list[Problem]
) -> int | None:
    if rule.share_of:
        return _read_share(mapping, rule, answers, row, path, raw, problems)
    number = parse_count(raw, largest=mapping.largest)
    if isinstance(number, str):
        problems.append(Problem(number, path, _show(raw)))
        return None
    return _multiply(mapping, rule, answers, row, path, Fraction(number), problems) if _multiplies(rule) else number


def _read_share(
    mapping: Mapping, rule: FigureRule, answers: Answers, row: Answers, path: str, raw: object, problems: list[Problem]
) -> int | None:
    """Return the share as a count of people; None where the base is blank or not known."""
    share = parse_share(raw)
    if isinstance(share, str):
        problems.append(Problem(share, path, _show(raw)))
        return None
    base_path, base_raw = _find(row, rule.share_of)
    if base_raw is None and row is not answers:
        base_path, base_raw = _find(answers, rule.share_of)
    if base_raw is None or _is_unknown(mapping, base_raw):
        return None
    base = parse_count(base_raw, largest=mapping.largest)
    if isinstance(base, str):
        problems.append(Problem(base, base_path, _show(base_raw)))
        return None
    if _multiplies(rule):
        return _multiply(mapping, rule, answers, row, path, share * base / 100, problems)
    return take_share(share, base)


def _multiplies(rule: FigureRule) -> bool:
    return bool(rule.times) or rule.factor is not None


def _multiply(
    mapping: Mapping, rule: FigureRule, answers: Answers, row: Answers, path: str, number: Fraction,
    problems: list[Problem],
) -> int | None:  # fmt: skip
    if not number:
        return 0
    factor = rule.factor if rule.factor is not None else _read_factor(mapping, rule, answers, row, problems)
    if factor is None:
        return None
    product = multiply(number, factor)
    if product > mapping.largest:
        problems.append(Problem("too_large", path, str(product)))
        return None
    return product


def _read_factor(
    mapping: Mapping, rule: FigureRule, answers: Answers, row: Answers, problems: list[Problem]
) -> Fraction | None:
    path, raw = _find(row, rule.times)
    if raw is None and row is not answers:
        path, raw = _find(answers, rule.times)
    if raw is None or _is_unknown(mapping, raw):
        return None
    factor = parse_factor(raw)
    if isinstance(factor, str):
        problems.append(Problem(factor, path, _show(raw)))
        return None
    return factor


def _find_constant(rule: FigureRule, row: Answers) -> tuple[str, object]:
    """What every form or instance has; None where it is blank, or its category or place was not asked."""
    if rule.repeat and not any(_has_answer(raw) for raw in row.values()):
        return rule.repeat[0], None
    if rule.category_paths and _find(row, rule.category_paths)[1] is None:
        return rule.category_paths[0], None
    return "", rule.constant


def _has_answer(raw: object) -> bool:
    return raw is not None and not (type(raw) is str and (not raw or raw.isspace()))


def _find(answers: Answers, paths: Paths) -> tuple[str, object]:
    """Return the first path with an answer, and the answer; else the first path and None. White space is no answer."""
    for path in paths:
        raw = answers.get(path)
        if raw is None or (type(raw) is str and (not raw or raw.isspace())):
            continue
        return path, raw
    return paths[0], None


def _find_inside(answers: Answers, paths: Paths) -> tuple[str, object]:
    """As ``_find``, of a repeat inside others: all its instances in one list."""
    for path in paths:
        if rows := list(_inner_rows(answers, path)):
            return path, rows
    return paths[0], None


def _inner_rows(answers: Answers, path: str) -> Iterator[object]:
    """Each with the answers of the instance around it; blank ones are left out."""
    names = path.split("/")
    for end in range(1, len(names)):
        around = answers.get("/".join(names[:end]))
        for row in around if isinstance(around, list) else ():
            if not isinstance(row, dict):
                yield row
                continue
            inner = row.get(path)
            own = inner if isinstance(inner, list) else [inner] if _has_answer(inner) else _inner_rows(row, path)
            for one in own:
                if not isinstance(one, dict):
                    yield one
                elif any(_has_answer(raw) for raw in one.values()):
                    yield {**row, **one}


def _is_unknown(mapping: Mapping, raw: object) -> bool:
    return isinstance(raw, str) and raw.strip() in mapping.dont_know


def _read_text(answers: Answers, paths: Iterable[str]) -> str | None:
    for path in paths:
        raw = answers.get(path)
        if isinstance(raw, str | int) and not isinstance(raw, bool):
            text = " ".join(clean_text(str(raw)).split())
            if text:
                return text
    return None


def _read_day(text: str | None) -> dt.date | None:
    try:
        return dt.date.fromisoformat((text or "")[:10])
    except ValueError:
        return None


def _show(raw: object) -> str:
    return clean_text(str(raw))[:_SHOWN]
