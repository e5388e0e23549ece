"""Connecting: the address of the server."""

import pytest

from assessments.services.kobo_connection import server_address


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
