"""Files of submissions: where Kobo gives them out, which answers name one, and what a file is by its first bytes.

The address is always built from ids: one that a row names could lead anywhere, and the token would go with it.
"""

from codecs import getincrementaldecoder
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from assessments.kobo.payloads import clean_text

# So many bytes of the beginning are enough to tell what a file is.
HEAD: Final = 512

# What is taken, by the ending under which it is kept.
KINDS: Final[Mapping[str, str]] = {
    "jpg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "heic": "image/heic",
    "pdf": "application/pdf",
    "mp4": "video/mp4",
    "3gp": "video/3gpp",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "m4a": "audio/mp4",
    "ogg": "audio/ogg",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "amr": "audio/amr",
    "zip": "application/zip",
    "csv": "text/csv",
    "txt": "text/plain",
}
# Pictures that every browser draws and that cannot carry a script.
PICTURES: Final = frozenset({"jpg", "png", "gif", "webp"})

_SOUND_OR_FILM = ("audio/", "video/")
_PLAIN_TYPES = frozenset(
    {
        "",
        "application/octet-stream",
        "application/pdf",
        "application/zip",
        "application/x-zip-compressed",
        "application/json",
        "text/csv",
        "text/comma-separated-values",
        "text/plain",
        "application/vnd.ms-excel",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.text",
    }
)
_STARTS: Final = (
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"%PDF-", "pdf"),
    (b"\x1aE\xdf\xa3", "webm"),
    (b"OggS", "ogg"),
    (b"ID3", "mp3"),
    (b"\xff\xfb", "mp3"),
    (b"\xff\xf3", "mp3"),
    (b"\xff\xf2", "mp3"),
    (b"#!AMR", "amr"),
    (b"PK\x03\x04", "zip"),
)
_BRANDS: Final[Mapping[bytes, str]] = {
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif"), "heic"),
    b"M4A ": "m4a",
    b"qt  ": "mov",
    b"3gp4": "3gp",
    b"3gp5": "3gp",
    b"3gp6": "3gp",
}
_RIFFS: Final[Mapping[bytes, str]] = {b"WEBP": "webp", b"WAVE": "wav"}

_SAME_ENDINGS: Final[Mapping[str, Collection[str]]] = {
    "jpg": {"jpg", "jpeg", "jpe"},
    "heic": {"heic", "heif", "avif"},
    "3gp": {"3gp", "3gpp"},
    "m4a": {"m4a", "mp4"},
    "webm": {"webm", "mkv"},
    "ogg": {"ogg", "oga", "ogv", "opus"},
    "zip": {"zip", "xlsx", "docx", "ods", "odt"},
    "txt": {"txt", "csv", "json", "geojson"},
}

_Decoder = getincrementaldecoder("utf-8")

_MEDIA_QUESTIONS = frozenset({"image", "audio", "video", "file", "background-audio"})
# What a phone calls its files, for forms whose questions we have not read.
_NAMED_LIKE_A_FILE = (
    ".jpg", ".jpeg", ".png", ".gif", ".webp", ".heic", ".mp4", ".3gp", ".3gpp", ".mov", ".webm", ".m4a", ".ogg",
    ".mp3", ".wav", ".amr", ".pdf", ".csv", ".xlsx", ".docx", ".zip",
)  # fmt: skip


def attachment_path(asset_uid: str, kobo_id: int, *, uid: str, xpath: str) -> str:
    """Below the server's address. Without a uid (servers before 2025-04) the file is asked for by its question."""
    start = f"/api/v2/assets/{quote(asset_uid, safe='')}/data/{kobo_id:d}/attachments/"
    if uid:
        return f"{start}{quote(uid, safe='')}/"
    return f"{start}?{urlencode({'xpath': xpath}, quote_via=quote, safe='/')}"


def may_be_taken(mimetype: str) -> bool:
    """By the type that Kobo lists, which it takes from the file's name: enough to refuse without asking for it."""
    kind = _bare(mimetype)
    if kind.startswith("image/"):
        return "svg" not in kind
    return kind.startswith(_SOUND_OR_FILM) or kind in _PLAIN_TYPES


def is_page(content_type: str, start: bytes) -> bool:
    """A log-in or error page that came in place of the file, with 200 and all."""
    text = start.lstrip(b"\xef\xbb\xbf\t\r\n ")[:16].lower()
    return _bare(content_type) in ("text/html", "application/xhtml+xml") or text.startswith(
        (b"<!doctype html", b"<html")
    )


def ending_of(start: bytes, *, mimetype: str) -> str:
    """The ending of `KINDS` for a file that begins so; "" where it is none of them, or not what it is listed as."""
    found = _sniff(start) or _read_as_text(start, mimetype)
    listed, kind = _bare(mimetype).partition("/")[0], KINDS.get(found, "").partition("/")[0]
    if listed == "image" or kind == "image":
        # Phones call any picture .jpg; but a picture is nothing else, and nothing else a picture.
        return found if listed == kind or _bare(mimetype) in ("", "application/octet-stream") else ""
    if listed in ("audio", "video"):
        return found if kind in ("audio", "video") else ""
    return found


def download_name(name: str, ending: str) -> str:
    """The name from the phone, with the ending of what the file is: ``sign.html`` that is a picture is no page."""
    name = "".join(letter if letter.isprintable() and letter not in '/\\"' else "_" for letter in name)
    _stem, dot, told = name.rpartition(".")
    if dot and told.lower() in _SAME_ENDINGS.get(ending, {ending}):
        return name
    return f"{name}.{ending}"


def named_files(answers: Mapping[str, Any], questions: Collection[str] | None) -> list[tuple[str, str]]:
    """(place, name) of each answer that names a file, as ``_attachments`` would: ``rep[2]/photo``.

    ``questions``: paths of the questions that take a file; None where the form's content is not known: then answers
    that look like the name of a file.
    """
    return [
        (place, value)
        for place, path, value in _walk(answers)
        if (path in questions if questions is not None else _looks_like_a_file(value))
    ]


def media_questions(content: Mapping[str, Any] | None) -> frozenset[str] | None:
    """Of a form's content as Kobo describes it; None where it is not known."""
    survey = (content or {}).get("survey")
    if not isinstance(survey, list):
        return None
    rows = [row for row in survey if isinstance(row, dict)]
    return frozenset(str(row.get("$xpath")) for row in rows if row.get("type") in _MEDIA_QUESTIONS)


def _bare(mimetype: str) -> str:
    return mimetype.partition(";")[0].strip().lower()


def _sniff(start: bytes) -> str:
    for mark, ending in _STARTS:
        if start.startswith(mark):
            return ending
    if start[4:8] == b"ftyp":
        return _BRANDS.get(start[8:12], "mp4")
    return _RIFFS.get(start[8:12], "") if start.startswith(b"RIFF") else ""


def _read_as_text(start: bytes, mimetype: str) -> str:
    """Plain text without markup; a letter may be cut at the end of what is looked at."""
    text = start.removeprefix(b"\xef\xbb\xbf")
    try:
        _Decoder().decode(text)
    except UnicodeDecodeError:
        return ""
    if not text or b"\x00" in text or text.lstrip().startswith(b"<"):
        return ""
    return "csv" if _bare(mimetype) in ("text/csv", "text/comma-separated-values") else "txt"


def _walk(row: Mapping[str, Any], *, key_prefix: str = "", shown_prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """(place with the numbers of repeats, question path, answer); Kobo's own keys left out."""
    for key, value in row.items():
        if key.startswith(("_", "meta/")):
            continue
        shown = shown_prefix + key.removeprefix(key_prefix)
        if isinstance(value, list):
            for number, item in enumerate(value, start=1):
                if isinstance(item, dict):
                    yield from _walk(item, key_prefix=key, shown_prefix=f"{shown}[{number}]")
        elif isinstance(value, str) and value:
            yield shown, key, clean_text(value)


def _looks_like_a_file(value: str) -> bool:
    return value.lower().endswith(_NAMED_LIKE_A_FILE) and "\n" not in value and len(value) <= 255
