"""The search of places over the whole shipped gazetteer, 15,620 places with 55,000 spellings.

The yardstick is what a search that knows one script and no slips would do: for each word one raw query by the beginning
of the same indexed column, twenty places with those above, as tuples and in no particular order.
"""

import io

from django.core.management import call_command
from django.db import connection

from locations.models import read_name
from locations.selectors import search_units
from tests.benchmarks.comparison import Comparison

NAMES = (
    "Қарағанды", "Караганда", "Karagandy", "г. Алматы", "Алма-Ата", "Shymkent", "Чимкент", "Өскемен", "Жамбыл", "Актау",
    "Aqtobe", "Орал", "Kyzylorda", "Павлодар", "Семей", "Балхаш", "Туркестан", "Абай", "Шу", "Турара Рыскулова",
)  # fmt: skip
SLIPS = ("Карагнада", "Шымкетн", "Павлодр", "Tselinogrd", "Кокшетуа")
PARTS = ("Караганда Абай", "Карагандинская область, Абайский район", "Almaty region Zhambyl", "Акмола Есиль")
BEGINNINGS = ("к", "ка", "аб", "ши", "жам", "тал")
RAW = """
    SELECT unit.*, above.* FROM locations_adminunitalias AS alias
    JOIN locations_adminunit AS unit ON unit.id = alias.unit_id
    LEFT JOIN locations_adminunit AS above ON above.id = unit.parent_id
    WHERE alias.search_key LIKE %s LIMIT 20
"""


def _search(words: tuple[str, ...]) -> None:
    for word in words:
        search_units(word)


def _ask_raw(words: tuple[str, ...]) -> None:
    with connection.cursor() as cursor:
        for word in words:
            cursor.execute(RAW, [f"{read_name(word).key}%"])
            cursor.fetchall()


def bench_search() -> list[Comparison]:
    call_command("load_gazetteer", stdout=io.StringIO())
    return [
        Comparison(
            name=f"search of places: {len(words)} {what}",
            ours=lambda words=words: _search(words),
            yardstick=lambda words=words: _ask_raw(words),
            at_most=at_most,
            rounds=9,
        )
        for what, words, at_most in (
            ("names", NAMES, 15),
            ("names with a slip", SLIPS, 30),
            ("names with the place above", PARTS, 30),
            ("beginnings", BEGINNINGS, 20),
        )
    ]
