"""A practice Kobo with one small form in two languages, and a client of it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from assessments.kobo.practice.server import running
from assessments.kobo.practice.state import PracticeKobo

PROJECT = "aVillages"
CONTENT: dict[str, Any] = {
    "schema": "1",
    "survey": [
        {"type": "start", "name": "start"},
        {"type": "username", "name": "username"},
        {"type": "note", "name": "hello", "label": ["Welcome", "Добро пожаловать"]},
        {"type": "begin_group", "name": "place", "label": ["Place", "Место"]},
        {
            "type": "select_one",
            "select_from_list_name": "district",
            "name": "district",
            "required": True,
            "label": ["District", "Район"],
        },
        {"type": "date", "name": "day", "label": ["Day", "День"]},
        {"type": "end_group"},
        {
            "type": "integer",
            "name": "people",
            "required": True,
            "label": ["People <b>present</b>", "Людей"],
            "constraint": ". >= 0 and . <= 1000",
            "constraint_message": ["From 0 to 1000", "От 0 до 1000"],
        },
        {"type": "select_multiple", "select_from_list_name": "need", "name": "needs", "label": ["Needs", "Нужды"]},
        {
            "type": "text",
            "name": "why",
            "required": True,
            "relevant": "${people} = 0",
            "label": ["Why nobody?", "Почему никого?"],
        },
        {"type": "calculate", "name": "double", "calculation": "${people} * 2"},
        {"type": "begin_repeat", "name": "villages", "label": ["Villages", "Сёла"]},
        {"type": "text", "name": "name", "required": True, "label": ["Name", "Название"]},
        {"type": "integer", "name": "estimate", "label": ["Estimate", "Оценка"]},
        {"type": "image", "name": "photo", "label": ["Photo", "Фото"]},
        {"type": "end_repeat"},
        {"type": "geopoint", "name": "point", "label": ["Point", "Точка"]},
    ],
    "choices": [
        {"list_name": "district", "name": "K1", "label": ["Karasu", "Карасу"]},
        {"list_name": "district", "name": "K2", "label": ["Kegen", "Кеген"]},
        {"list_name": "need", "name": "food", "label": ["Food", "Еда"]},
        {"list_name": "need", "name": "water", "label": ["Water", "Вода"]},
    ],
    "settings": {"default_language": "English (en)"},
    "translations": ["English (en)", "Русский (ru)"],
}
MORNING = datetime(2022, 11, 20, 6, 30, tzinfo=UTC)


@pytest.fixture
def state_file(tmp_path: Path) -> Path:
    return tmp_path / "kobo.sqlite3"


@pytest.fixture
def kobo(state_file: Path) -> Iterator[PracticeKobo]:
    opened = PracticeKobo(state_file, clock=lambda: MORNING)
    opened.create_user("owner")
    opened.create_asset(PROJECT, "Villages", "owner", CONTENT)
    yield opened
    opened.close()


@pytest.fixture
def base_url(kobo: PracticeKobo) -> Iterator[str]:
    with running(kobo) as address:
        yield address


@pytest.fixture
def data_url(base_url: str) -> str:
    return f"{base_url}/api/v2/assets/{PROJECT}/data/"


@pytest.fixture
def session(kobo: PracticeKobo) -> Iterator[requests.Session]:
    with requests.Session() as opened:
        opened.headers["Authorization"] = f"Token {kobo.create_user('owner')}"
        yield opened
