"""Names as they sound, whatever script and spelling they are typed in.

The same keys serve places and people: they are made here, stored beside the name, and made again from what is typed.
A key is for comparing alone and never shown. After a change here the stored keys have to be made again.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

# One sound, one sign. Cyrillic of Russian and Kazakh; then what Latin spellings with marks write for the same sounds:
# ISO 9 (ž č š ŝ è û â), the Kazakh Latin of 2021 (ä ö ü ū ğ ñ ş ı) and that of 2018 (á ǵ ń ó ú; ý is its у).
_LETTERS: Final = str.maketrans(
    {
        "а": "a", "ә": "a", "б": "b", "в": "v", "г": "g", "ғ": "g", "д": "d", "е": "e", "ё": "e", "ж": "ž", "з": "z",
        "и": "i", "й": "i", "і": "i", "ы": "i", "к": "k", "қ": "k", "л": "l", "м": "m", "н": "n", "ң": "n", "о": "o",
        "ө": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ү": "u", "ұ": "u", "ф": "f", "х": "h", "һ": "h",
        "ц": "c", "ч": "č", "ш": "š", "щ": "š", "э": "e", "ю": "iu", "я": "ia", "ь": "", "ъ": "",
        "j": "ž", "ş": "š", "ŝ": "š", "ç": "č", "ý": "u", "â": "ia", "û": "iu", "ı": "i", "ə": "a", "q": "k", "w": "u",
        "y": "i", "x": "ks",
        "'": "", "’": "", "ʼ": "", "`": "", "ʹ": "", "ʺ": "", "‘": "", "´": "", "′": "",
    }
)  # fmt: skip
_OWN_SIGNS: Final = frozenset("čšž")
# Several letters for one sound, read before the letters: in Latin spellings, and in Cyrillic where Latin has one sign
# for both ("тс" and "ц" are both "ts").
_GROUPS: Final = {
    "shch": "š", "sch": "š", "sh": "š", "шч": "š", "сч": "š", "tch": "č", "ch": "č", "тч": "č",
    "dzh": "ž", "zh": "ž", "dj": "ž", "дж": "ž", "dž": "ž", "kh": "h", "gh": "g", "ph": "f",
    "ts": "c", "tz": "c", "тс": "c", "ng": "n", "нг": "n", "ye": "e", "йе": "e", "ые": "e", "іе": "e", "j": "i",
}  # fmt: skip
# A "j" between a vowel and a consonant or the end is ISO 9's й; any other is ж.
_WHERE: Final = {"j": "(?<=[aeiouyäöüâ])j(?![aeiouyäöüâ])"}
_GROUP: Final = re.compile("|".join(_WHERE.get(group, group) for group in sorted(_GROUPS, key=len, reverse=True)))
_NO_WORD: Final = re.compile(r"[\W_]+")
_VOWELS: Final = re.compile("[aeiou]")
_TWICE: Final = re.compile(r"([^\W\d])\1+")
# Sounds that Russian and Kazakh spellings of one name exchange: Чимкент and Шымкент, Балхаш and Балқаш.
_NEAR: Final = str.maketrans({"č": "š", "h": "k"})
_CONSONANTS: Final = "bcdfgklmnprstvzšž"


def fold(text: str) -> str:
    """The words as they sound, in one script, parted by blanks: "Қарағанды" and "Qaraghandy" give "karagandi"."""
    # Capitals first: some small letters have none of their own, and their capitals fall together with others.
    before, key = "", _NO_WORD.sub(" ", _sound(text.upper()))
    # Letters that stood apart in one script make a group in the other: once more, until nothing changes.
    while key != before:
        before, key = key, _sound(key)
    return key.strip()


def _sound(text: str) -> str:
    lowered = unicodedata.normalize("NFC", text).casefold()
    grouped = _GROUP.sub(lambda found: _GROUPS[found[0]], lowered)
    return _TWICE.sub(r"\1", _without_marks(grouped.translate(_LETTERS)))


def joined(text: str) -> str:
    """As `fold`, in one piece: Алма-Ата, Алма Ата and Алмата do not differ."""
    return fold(fold(text).replace(" ", ""))


def skeleton(text: str) -> str:
    """The consonants of each word, in which spellings differ least, and a mark where a word begins with a vowel."""
    return " ".join(bare(word) for word in fold(text).split())


def bare(word: str) -> str:
    """The skeleton of one word that is folded already. A word of vowels alone keeps them."""
    near = word.translate(_NEAR)
    consonants = _VOWELS.sub("", near)
    if not consonants:
        return word
    return _TWICE.sub(r"\1", ("a" if near[0] in "aeiou" else "") + consonants)


def near_misses(key: str) -> set[str]:
    """The skeletons that one slip of the hand makes of this one: a consonant left out, put in, changed or swapped."""
    return set(_slips(key)) - {key}


def _slips(key: str) -> Iterator[str]:
    for place in range(len(key) + 1):
        head, tail = key[:place], key[place:]
        yield from (head + letter + tail for letter in _CONSONANTS)
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in _CONSONANTS)
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]


def distance(one: str, other: str) -> int:
    """How many letters have to be put in, left out or changed to make one of the other."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        above, row[0] = row[0], number
        for place, wanted in enumerate(other, 1):
            above, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, above + (letter != wanted))
    return row[-1]


def _without_marks(text: str) -> str:
    """Latin letters with other marks are those without: ö and ô are o. Our own signs stay."""
    return text if text.isascii() else "".join(map(_without_mark, text))


def _without_mark(letter: str) -> str:
    if letter in _OWN_SIGNS or letter.isascii():
        return letter
    return "".join(part for part in unicodedata.normalize("NFKD", letter).casefold() if not unicodedata.combining(part))
