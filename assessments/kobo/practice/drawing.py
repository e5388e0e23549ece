"""Draws a practice form as HTML: no script, no inline style, everything escaped."""

import html
import re
from typing import Any

from assessments.kobo.practice import forms
from assessments.kobo.practice.filling import UNASKED, Filling, name_below
from assessments.kobo.practice.forms import Question
from assessments.kobo.practice.wording import say

LONG_LIST = 60
_INPUTS = {"integer": 'inputmode="numeric"', "decimal": 'inputmode="decimal"', "geopoint": 'placeholder="51.13 71.43"'}
_PATTERNS = {
    "date": ("date", r"\d{4}-\d\d-\d\d"),
    "time": ("time", r"\d\d:\d\d(:\d\d)?"),
    "dateTime": ("datetime-local", r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?"),
}
_MARKUP = re.compile(r"<[^<>]{0,200}>")
_REFERENCE = re.compile(r"\$\{[^}]*\}")


def escape(text: Any) -> str:
    return html.escape(str(text), quote=True)


class FormDrawing:
    """One form in one language; ``draw`` gives the questions, ``lists`` the shared choices of long lists after them."""

    def __init__(self, filling: Filling, *, language: str, index: int) -> None:
        self.filling = filling
        self.language = language
        self.index = index
        self._long: dict[str, str] = {}

    def draw(self) -> str:
        return self._draw_all(self.filling.questions, None, "")

    def lists(self) -> str:
        return "".join(self._long.values())

    def _draw_all(self, questions: list[Question], parent: Question | None, name: str) -> str:
        return "".join(self._draw(question, name_below(name, parent, question)) for question in questions)

    def _draw(self, question: Question, name: str) -> str:
        if question.kind == "group":
            label = self._label(question)
            legend = f"<legend>{label}</legend>" if label else ""
            return f'<fieldset class="group">{legend}{self._draw_all(question.children, question, name)}</fieldset>'
        if question.kind == "repeat":
            return self._draw_repeat(question, name)
        if question.kind == "note":
            return f'<p class="note">{self._label(question)}</p>'
        if question.kind in UNASKED:
            return self._draw_unasked(question, name)
        return self._draw_question(question, name)

    def _draw_repeat(self, question: Question, name: str) -> str:
        """Draw the instances that are filled open and the spare ones folded, so that the page stays short."""
        filled = self.filling.instances(name)
        parts = []
        for number in range(1, self.filling.shown_instances(name) + 1):
            inner = self._draw_all(question.children, question, f"{name}[{number}]")
            state = " open" if number <= max(filled, 1) else ""
            blank = "" if number <= filled else f" ({say('empty', self.language)})"
            title = f"{self._label(question) or escape(question.name)} {number}{blank}"
            parts.append(f"<details{state}><summary>{title}</summary>{inner}</details>")
        return f'<fieldset class="repeat"><legend>{self._label(question)}</legend>{"".join(parts)}</fieldset>'

    def _draw_unasked(self, question: Question, name: str) -> str:
        value = self.filling.first(name)
        hidden = f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' if value else ""
        if question.kind in {"image", "audio", "video", "file"}:
            shown = f": {escape(value)}" if value else ""
            return f'<p class="unasked">{self._label(question)} - {say("not_asked", self.language)}{shown}</p>{hidden}'
        return hidden

    def _draw_question(self, question: Question, name: str) -> str:
        error = self.filling.errors.get(name)
        words = ""
        if error:
            own = forms.translate(question.row.get("constraint_message"), self.index) if error[1] else ""
            words = f'<p class="error" id="{escape(name)}-error">{escape(own or say(error[0], self.language))}</p>'
        hint = forms.translate(question.row.get("hint"), self.index)
        shown_hint = f'<p class="hint">{escape(hint)}</p>' if hint else ""
        # Relevance is not computed here, so what hangs on a condition is never demanded and bears no star.
        demanded = str(question.row.get("required")).lower() in {"true", "yes"} and not question.row.get("relevant")
        star = ' <span class="star">*</span>' if demanded else ""
        label = self._label(question) or escape(question.name)
        wrong = " wrong" if error else ""
        if question.kind.startswith("select_multiple"):
            boxes = self._draw_boxes(question, name)
            note = f'<p class="hint">{say("several", self.language)}</p>'
            legend = f"<legend>{label}{star}</legend>"
            return f'<fieldset class="question{wrong}">{legend}{shown_hint or note}{words}{boxes}</fieldset>'
        marks = f' aria-invalid="true" aria-describedby="{escape(name)}-error"' if error else ""
        field = self._draw_field(question, name, marks)
        caption = f'<label for="{escape(name)}">{label}{star}</label>'
        return f'<div class="question{wrong}">{caption}{shown_hint}{words}{field}</div>'

    def _draw_field(self, question: Question, name: str, marks: str) -> str:
        value = self.filling.first(name)
        attributes = f'id="{escape(name)}" name="{escape(name)}"{marks}'
        choices = self.filling.offered(question)
        if question.kind.startswith("select_one") and choices is not None:
            if len(choices) > LONG_LIST:
                return self._draw_long_list(question, choices, attributes, value)
            return self._draw_short_list(choices, attributes, value)
        if "multiline" in str(question.row.get("appearance") or ""):
            return f'<textarea rows="4" {attributes}>\n{escape(value)}</textarea>'
        if "\n" in value:
            return f'<textarea rows="4" {attributes}>\n{escape(value)}</textarea>'
        kind, pattern = _PATTERNS.get(question.kind, ("text", ""))
        # A value that the browser's own date or time field would swallow is shown as text: nothing typed is lost.
        kind = kind if not value or re.fullmatch(pattern, value) else "text"
        return f'<input type="{kind}" {attributes} value="{escape(value)}" {_INPUTS.get(question.kind, "")}>'

    def _draw_short_list(self, choices: list[dict[str, Any]], attributes: str, value: str) -> str:
        known = {str(choice["name"]) for choice in choices}
        extra = [] if not value or value in known else [{"name": value, "label": value}]
        options = "".join(
            f'<option value="{escape(choice["name"])}"{" selected" if str(choice["name"]) == value else ""}>'
            f"{escape(self._choice_label(choice))}</option>"
            for choice in [*extra, *choices]
        )
        return f'<select {attributes}><option value=""></option>{options}</select>'

    def _draw_long_list(self, question: Question, choices: list[dict[str, Any]], attributes: str, value: str) -> str:
        identity = "list-" + re.sub(r"\W", "-", question.list_name)
        if question.list_name not in self._long:
            options = "".join(
                f'<option value="{escape(choice["name"])}">{escape(self._choice_label(choice))}</option>'
                for choice in choices
            )
            self._long[question.list_name] = f'<datalist id="{escape(identity)}">{options}</datalist>'
        return f'<input type="text" {attributes} list="{escape(identity)}" value="{escape(value)}" autocomplete="off">'

    def _draw_boxes(self, question: Question, name: str) -> str:
        chosen = set(self.filling.value(name).split())
        parts = []
        for choice in self.filling.choices.get(question.list_name, []):
            code = str(choice["name"])
            checked = " checked" if code in chosen else ""
            box = f'<input type="checkbox" name="{escape(name)}" value="{escape(code)}"{checked}>'
            parts.append(f'<label class="box">{box} {escape(self._choice_label(choice))}</label>')
        return "".join(parts)

    def _choice_label(self, choice: dict[str, Any]) -> str:
        return forms.translate(choice.get("label"), self.index) or str(choice["name"])

    def _label(self, question: Question) -> str:
        """Return the escaped label, without markup, references to other answers as dots."""
        text = forms.translate(question.row.get("label"), self.index)
        return escape(_REFERENCE.sub("…", _MARKUP.sub("", text))).replace("\n", "<br>")
