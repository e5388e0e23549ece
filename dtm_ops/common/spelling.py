"""Names as they sound, whatever script and spelling they are typed in.

The same keys serve places and people: they are made here, stored beside the name, and made again from what is typed.
A key is for comparing alone and never shown. After a change here the stored keys have to be made again.
"""

import re
import unicodedata
from typing import Final

# One sound, one sign. Cyrillic of Russian and Kazakh, and what the Latin spellings (BGN, ISO 9, the Kazakh Latin of
# 2021, newspapers) write for the same sounds.
_LETTERS: Final = str.maketrans(
    {
        "а": "a", "ә": "a", "б": "b", "в": "v", "г": "g", "ғ": "g", "д": "d", "е": "e", "ё": "e", "ж": "j", "з": "z",
        "и": "i", "й": "i", "і": "i", "ы": "i", "к": "k", "қ": "k", "л": "l", "м": "m", "н": "n", "ң": "n", "о": "o",
        "ө": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ү": "u", "ұ": "u", "ф": "f", "х": "h", "һ": "h",
        "ц": "c", "ч": "č", "ш": "š", "щ": "š", "э": "e", "ю": "u", "я": "a", "ь": "", "ъ": "",
        "ş": "š", "ç": "č", "ğ": "g", "ñ": "n", "ý": "i", "ı": "i", "ä": "a", "ö": "o", "ü": "u", "ū": "u", "ŭ": "u",
        "q": "k", "w": "u", "y": "i", "x": "h", "'": "", "’": "", "ʼ": "", "`": "", "ʹ": "", "‘": "",
    }
)  # fmt: skip
_GROUPS: Final = (
    (re.compile("shch|sch|sh"), "š"),
    (re.compile("tch|ch"), "č"),
    (re.compile("dzh|zh|dj|дж"), "j"),
    (re.compile("kh"), "h"),
    (re.compile("gh"), "g"),
    (re.compile("ts|tz"), "c"),
    (re.compile("yu|ju(?=\\b)|iu"), "u"),
    (re.compile("ya|ia(?=\\b)"), "a"),
    (re.compile("yo"), "e"),
    (re.compile("ye"), "e"),
)
_NO_WORD: Final = re.compile(r"[\W_]+")
_VOWELS: Final = re.compile("[aeiou]")
_TWICE: Final = re.compile(r"(.)\1+")


def fold(text: str) -> str:
    """The words as they sound, in one script, parted by blanks: "Қарағанды" and "Qaraghandy" give "karagandi"."""
    lowered = unicodedata.normalize("NFC", text).casefold()
    for pattern, sign in _GROUPS:
        lowered = pattern.sub(sign, lowered)
    spaced = _NO_WORD.sub(" ", lowered.translate(_LETTERS).replace("ng", "n")).strip()
    return _TWICE.sub(r"\1", spaced)


def skeleton(text: str) -> str:
    """The consonants of each word, in which spellings differ least. A word of vowels alone keeps them."""
    return " ".join(_bare(word) for word in fold(text).split())


def _bare(word: str) -> str:
    return _VOWELS.sub("", word) or word
