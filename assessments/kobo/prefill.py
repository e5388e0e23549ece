"""What a form is opened with: answers that are known before anybody meets, by question path.

Beside the questions of ``head`` a mapping may name, in ``prefill``, what else a form needs for them to be asked at all:
a fixed answer, or a place above the form's own, so that cascading lists find it::

    "prefill": {"head/has_focus_group": "yes", "head/region": "@region", "head/district": "@parent"}
"""

from collections.abc import Mapping
from urllib.parse import urlencode

Places = Mapping[str, str]


def prefilled_answers(mapping: Mapping[str, object], *, head: Mapping[str, str], places: Places) -> dict[str, str]:
    """Answers by question path.

    ``head``: values by the names of the mapping's head; of several paths the first is the newest form's. ``places``:
    what ``@region`` and ``@parent`` stand for. What the mapping does not name, or has no value, is left out.
    """
    paths = mapping.get("head")
    extra = mapping.get("prefill")
    answers: dict[str, str] = {}
    for path, value in (extra if isinstance(extra, dict) else {}).items():
        answers[path] = places.get(value[1:], "") if value.startswith("@") else value
    for name, value in head.items():
        found = paths.get(name) if isinstance(paths, dict) else None
        if found:
            answers[found[0]] = value
    return {path: value for path, value in answers.items() if value}


def prefilled_address(page: str, answers: Mapping[str, str], **options: str) -> str:
    """The address of a web form with ``d[path]=value`` for each answer, as Enketo reads them.

    ``options`` without a value are left out.
    """
    query = {f"d[{path}]": value for path, value in answers.items()} | {
        name: value for name, value in options.items() if value
    }
    return f"{page}{'&' if '?' in page else '?'}{urlencode(query)}" if query else page
