import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessments.kobo.codes import ALPHABET, CAPACITY, PATTERN, is_code, make_code, normalise_code

numbers = st.integers(min_value=0, max_value=CAPACITY - 1)


def test_make_code_of_known_numbers_never_changes():
    assert [make_code(number) for number in (0, 1, 2, CAPACITY - 1)] == ["A9-3H6Y", "CP-F9SF", "E4-VZCM", "8U-NRJC"]


def test_make_code_of_ten_thousand_numbers_repeats_none():
    assert len({make_code(number) for number in range(10_000)}) == 10_000


@pytest.mark.parametrize("number", [-1, CAPACITY])
def test_make_code_outside_the_range_refuses(number):
    with pytest.raises(ValueError, match="no code for number"):
        make_code(number)


@given(numbers)
def test_make_code_has_the_printed_shape(number):
    code = make_code(number)
    assert (bool(re.match(PATTERN, code)), is_code(code), normalise_code(code)) == (True, True, code)


@given(numbers, st.sampled_from([0, 1, 3, 4, 5, 6]), st.sampled_from(ALPHABET))
def test_is_code_with_one_wrong_character_is_false(number, place, character):
    code = make_code(number)
    wrong = code[:place] + character + code[place + 1 :]
    assert is_code(wrong) is (wrong == code)


@given(numbers, st.sampled_from([0, 1, 3, 4, 5, 6]), st.sampled_from([0, 1, 3, 4, 5, 6]))
def test_is_code_with_two_characters_swapped_is_false(number, first, second):
    code = make_code(number)
    letters = list(code)
    letters[first], letters[second] = letters[second], letters[first]
    swapped = "".join(letters)
    assert is_code(swapped) is (swapped == code)


@given(numbers, st.sampled_from(["", " ", "-", " - ", "\u2013", "_"]), st.booleans())
def test_normalise_code_undoes_how_people_type(number, separator, lower):
    code = make_code(number)
    typed = f" {code[:2]}{separator}{code[3:5]} {code[5:]}\n"
    assert normalise_code(typed.lower() if lower else typed) == code


@given(st.text())
def test_normalise_code_of_any_text_is_stable(text):
    once = normalise_code(text)
    assert normalise_code(once) == once


@pytest.mark.parametrize("text", ["", "K", "K7", "K7-4PQ", "O0-4PQX", "K7-4PQЖ", "K7-4PQX9", "\x00"])
def test_is_code_of_other_text_is_false(text):
    assert is_code(normalise_code(text)) is False


def test_normalise_code_of_cyrillic_look_alikes_gives_latin_letters():
    assert normalise_code("\u0430\u0432-\u0435\u043a\u043c\u0445") == "AB-EKMX"
