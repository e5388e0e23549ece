"""Codes of focus groups, as people write them on paper and type them on a phone.

Two characters, a dash, four characters: ``K7-4PQX``. The last one is a check character. The alphabet has 31
characters, without ``0 O 1 I L``, which look alike in handwriting; 31 is prime, so the weighted sum catches every
single wrong character and every two characters that changed places. The forms in ``xlsforms/`` repeat the
same rule as an XPath constraint: changing it here means a new major version of each form.
"""

import re

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
CAPACITY = len(ALPHABET) ** 5
PATTERN = r"^[2-9A-HJKMNP-Z]{2}-[2-9A-HJKMNP-Z]{4}$"

_SHAPE = re.compile(PATTERN)
_IGNORED = re.compile(r"[\s\-\u2010-\u2015\u2212_.]+")
# Typed on a Kazakh or Russian keyboard, these Cyrillic capitals look the same as the Latin ones.
_LOOK_ALIKES = str.maketrans("\u0410\u0412\u0415\u041a\u041c\u041d\u0420\u0421\u0422\u0423\u04ae\u0425", "ABEKMHPCTYYX")
_WEIGHTS = (1, 2, 3, 4, 5, 6)
# Any factor without a divisor 31 visits all numbers once; this one sends neighbours far apart.
_STRIDE = 17_320_508
_START = 4_142_135


def make_code(number: int) -> str:
    """Return the code of the focus group with this running number, from 0 to ``CAPACITY - 1``.

    The same number always gives the same code and no two numbers share one. Numbers in sequence give codes that
    look unlike each other, so that a slip of the pen does not land on the neighbour's focus group. A code is no secret.
    """
    if not 0 <= number < CAPACITY:
        raise ValueError(f"no code for number {number}: expected 0 to {CAPACITY - 1}")
    rest = (number * _STRIDE + _START) % CAPACITY
    digits = []
    for _ in range(5):
        rest, digit = divmod(rest, len(ALPHABET))
        digits.append(digit)
    digits.append(_check_digit(digits))
    code = "".join(ALPHABET[digit] for digit in digits)
    return f"{code[:2]}-{code[2:]}"


def is_code(text: str) -> bool:
    """Say whether the text is a code in its written form, check character included."""
    if not _SHAPE.match(text) or text.endswith("\n"):
        return False
    digits = [ALPHABET.index(character) for character in text if character != "-"]
    return sum(weight * digit for weight, digit in zip(_WEIGHTS, digits, strict=True)) % len(ALPHABET) == 0


def normalise_code(text: str) -> str:
    """Return the written form of what somebody typed: capitals, no spaces, one dash after the second character.

    Cyrillic capitals that look like Latin ones become those. Nothing else is guessed: ``0 O 1 I L`` stay as typed, and
    ``is_code`` refuses them as it does any length but six.
    """
    bare = _IGNORED.sub("", text).upper().translate(_LOOK_ALIKES)
    return f"{bare[:2]}-{bare[2:]}" if len(bare) > 2 else bare


def _check_digit(digits: list[int]) -> int:
    size = len(ALPHABET)
    total = sum(weight * digit for weight, digit in zip(_WEIGHTS[:5], digits, strict=True))
    return -total * pow(_WEIGHTS[5], -1, size) % size
