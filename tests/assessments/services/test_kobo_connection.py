"""Connecting: the address of the server, and what the deployed form lacks."""

import pytest

from assessments.services.kobo_connection import missing_questions, server_address


@pytest.mark.parametrize(
    "typed",
    [
        "https://eu.kobotoolbox.org",
        "https://eu.kobotoolbox.org/",
        " https://eu.kobotoolbox.org/api/v2/assets/ ",
        "https://eu.kobotoolbox.org/#/forms/aBc/summary",
    ],
)
def test_address_is_the_server_alone_however_it_was_pasted(typed):
    assert server_address(typed) == "https://eu.kobotoolbox.org"


def test_missing_questions_names_places_that_no_path_leads_to():
    mapping = {
        "head": {"unit": ["head/district"], "date": ["day", "today"]},
        "figures": [
            {"indicator": "present", "path": ["old_total", "total"]},
            {"indicator": "present", "repeat": ["villages"], "unit": ["villages/code"], "value": ["villages/number"]},
        ],
    }
    content = {"survey": [{"$xpath": path} for path in ("today", "total", "villages", "villages/code")]}

    assert missing_questions(mapping, content) == ("head/district", "villages/number")
