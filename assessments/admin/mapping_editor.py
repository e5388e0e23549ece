"""The mapping of a form on the desk: one row a figure, checked against the form's questions, previewed, then saved.

Every button of the page sends the whole page; only "Save" writes. It works without a script.
"""

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _now
from django.utils.translation import ngettext

from assessments.admin.mapping_rows import (
    FOLDED,
    HEAD_WORDS,
    MAIN,
    MOST_ROWS,
    PEOPLE_WORDS,
    WORDS,
    Fields,
    MappingRows,
    Row,
    rows_of,
    rows_posted,
)
from assessments.kobo.errors import Problem
from assessments.kobo.questions import Fit, Question, check_fit
from assessments.messages import mapping_message
from assessments.models import KoboForm, KoboFormVersion, KoboSubmission
from assessments.permissions import can_connect_kobo
from assessments.selectors.mappings import (
    LAST_FORMS,
    Preview,
    content_for,
    form_questions,
    preview_mapping,
)
from assessments.services.mappings import Owner, Saved, find_problems, fingerprint_of, save_mapping
from assessments.services.replay import replay_refused
from dtm_ops.common.errors import Refused
from dtm_ops.records.verbs import VerbAdmin

MOST_BYTES = 1024 * 1024
_PLACE = re.compile(r"figures\[(\d+)\](?:\.(\w+))?")
# The field of a row that a key of the JSON is typed into.
_FIELD_OF = {"indicator": "figure", "value": "path"}


def mapping_url(model_admin: VerbAdmin) -> URLPattern:
    """For `KoboFormAdmin.get_urls`."""

    def view(request: HttpRequest, object_id: str) -> HttpResponse:
        return _show_editor(model_admin, request, object_id)

    wrapped = model_admin.admin_site.admin_view(view)
    return path("<path:object_id>/mapping/", wrapped, name="assessments_koboform_mapping")


def editor_address(owner: Owner) -> str:
    if isinstance(owner, KoboForm):
        return reverse("admin:assessments_koboform_mapping", args=[owner.pk])
    return f"{reverse('admin:assessments_koboform_mapping', args=[owner.form_id])}?version={owner.pk}"


@dataclass
class Editor:
    """The page as it stands, typed or stored. ``faults``: those that belong to no row."""

    owner: Owner
    questions: tuple[Question, ...]
    rows: MappingRows
    opened_with: str
    faults: list[str] = field(default_factory=list)
    raw: str | None = None
    raw_fault: str = ""

    @cached_property
    def is_usable(self) -> bool:
        """Whether it could be saved; what is wrong is put into its row."""
        problems, kept = find_problems(self.rows.to_mapping()), self.rows.kept
        for problem in problems:
            place = _PLACE.match(problem.path)
            if place and int(place[1]) < len(kept):
                row = kept[int(place[1])]
                row.faults.append(_in_row(problem, row, place[2]))
            else:
                self.faults.append(mapping_message(problem))
        return not problems

    @property
    def has_faults(self) -> bool:
        return bool(not self.is_usable or self.faults or self.raw_fault)

    @property
    def row_faults(self) -> list[str]:
        """For a page without rows."""
        return [f"{row.number + 1}: {fault}" for row in self.rows.rows for fault in row.faults]

    @property
    def mapping_json(self) -> str:
        return json.dumps(self.rows.to_mapping(), ensure_ascii=False, indent=2)

    @property
    def shown_json(self) -> str:
        return self.mapping_json if self.raw is None else self.raw


def _show_editor(model_admin: VerbAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    form = model_admin.get_object(request, unquote(object_id))
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    owner = _owner(form, request.GET.get("version", ""))
    if request.method == "POST" and not can_connect_kobo(request.user):
        raise PermissionDenied
    if request.method == "GET" and "export" in request.GET:
        return _export(owner)
    editor = _open(owner, request)
    if request.method == "POST":
        act = request.POST.get("do", "check")
        if act == "add" and len(editor.rows.rows) < MOST_ROWS:
            editor.rows.rows.append(Row(len(editor.rows.rows), {}))
        if act == "own" or (act in ("save", "save_and_read") and editor.is_usable):
            answer = _save(request, editor, None if act == "own" else editor.rows.to_mapping())
            if answer is not None:
                if act == "save_and_read":
                    _read_again(request, form)
                return answer
    return _render(model_admin, request, form, editor)


def _owner(form: KoboForm, key: str) -> Owner:
    if not key:
        return form
    version = form.versions.filter(pk=key).first() if key.isdecimal() and len(key) < 19 else None
    if version is None:
        raise Http404
    return version


def _open(owner: Owner, request: HttpRequest) -> Editor:
    questions = form_questions(owner)
    if request.method != "POST":
        return Editor(owner, questions, rows_of(_mapping(owner)), fingerprint_of(owner))
    opened_with = request.POST.get("opened_with", "")
    if request.POST.get("do") == "rows":
        return _from_json(owner, questions, request, opened_with)
    return Editor(owner, questions, rows_posted(request.POST.dict(), questions), opened_with)


def _from_json(owner: Owner, questions: tuple[Question, ...], request: HttpRequest, opened_with: str) -> Editor:
    """The rows that a JSON text or file holds; where it holds none, the page stays as it was typed."""
    text = request.POST.get("json", "")
    chosen = request.FILES.get("file")
    fault = ""
    if chosen is not None:
        if (chosen.size or 0) > MOST_BYTES:
            fault = _now("The file is larger than 1 MB.")
        text = chosen.read(MOST_BYTES).decode("utf-8-sig", "replace").replace("\x00", "")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        data, fault = None, fault or _now("This is not JSON: %(why)s") % {"why": error}
    if not fault and not isinstance(data, dict):
        fault = _now("A mapping is a JSON object, with braces around it.")
    if fault:
        rows = rows_posted(request.POST.dict(), questions)
        return Editor(owner, questions, rows, opened_with, raw=text, raw_fault=fault)
    editor = Editor(owner, questions, rows_of(data), opened_with)
    editor.faults = [mapping_message(problem) for problem in find_problems(data) if problem.code == "unknown_key"]
    return editor


def _mapping(owner: Owner) -> dict[str, Any]:
    """What the owner's forms are read by now."""
    own = owner.mapping
    if own is None and isinstance(owner, KoboFormVersion):
        own = owner.form.mapping
    return own or {}


def _save(request: Any, editor: Editor, mapping: dict[str, Any] | None) -> HttpResponse | None:
    """None: something is wrong, and said."""
    try:
        saved = save_mapping(editor.owner, mapping, opened_with=editor.opened_with, by=request.user)
    except Refused as refused:
        editor.faults.append(str(refused))
        return None
    _tell(request, saved)
    return HttpResponseRedirect(editor_address(editor.owner))


def _read_again(request: Any, form: KoboForm) -> None:
    form.refresh_from_db()
    read = replay_refused(form, by=request.user)
    left = KoboSubmission.objects.visible_to(request.user).present().filter(form=form, is_refused=True).count()
    words = _now("Read again: %(read)s can be read now, %(left)s still cannot.") % {"read": read, "left": left}
    messages.success(request, words)


def _tell(request: HttpRequest, saved: Saved) -> None:
    if not saved.changed:
        messages.info(request, _now("The mapping is as it was: nothing was written."))
        return
    messages.success(request, _now("The mapping is saved. Forms that come from now on are read by it."))
    if saved.fit and saved.fit.missing:
        messages.warning(
            request, _now("Not asked by the form in the field: %(paths)s.") % {"paths": ", ".join(saved.fit.missing)}
        )
    if saved.refused:
        words = ngettext(
            "%(count)s form could not be read until now; it can be read anew.",
            "%(count)s forms could not be read until now; they can be read anew.",
            saved.refused,
        )
        messages.warning(request, words % {"count": saved.refused})
    if saved.undecided:
        words = ngettext(
            "%(count)s form that was read by the old mapping waits for a decision.",
            "%(count)s forms that were read by the old mapping wait for a decision.",
            saved.undecided,
        )
        messages.info(request, words % {"count": saved.undecided})


def _export(owner: Owner) -> HttpResponse:
    text = json.dumps(_mapping(owner), ensure_ascii=False, indent=2)
    response = HttpResponse(f"{text}\n", content_type="application/json")
    response["Content-Disposition"] = 'attachment; filename="mapping.json"'
    return response


def _render(model_admin: VerbAdmin, request: HttpRequest, form: KoboForm, editor: Editor) -> HttpResponse:
    fields = Fields(editor.questions)
    mapping, is_version = editor.rows.to_mapping(), isinstance(editor.owner, KoboFormVersion)
    content, is_too_long = content_for(editor.owner), len(editor.rows.rows) > MOST_ROWS
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": _now("Mapping"),
        "original": form,
        "back": reverse("admin:assessments_koboform_change", args=[form.pk]),
        "editor": editor,
        "may_change": can_connect_kobo(request.user),
        "versions": _choices_of_version(form, editor.owner),
        "is_version": is_version,
        "is_inherited": editor.owner.mapping is None,
        "rows": [] if is_too_long else [_shown_row(fields, row) for row in editor.rows.rows],
        "heads": fields.of_places("head", editor.rows.heads, HEAD_WORDS),
        "people": fields.of_places("people", editor.rows.people, PEOPLE_WORDS),
        "carried": json.dumps(editor.rows.carried, ensure_ascii=False),
        "remove_label": WORDS["remove"],
        "is_full": len(editor.rows.rows) >= MOST_ROWS,
        "is_too_long": is_too_long,
        "is_posted": request.method == "POST",
        "is_read": content is not None,
        "fit": _shown_fit(check_fit(mapping, content), editor.questions) if editor.is_usable and content else None,
        "preview": _shown_preview(preview_mapping(mapping, editor.owner, user=request.user))
        if editor.is_usable
        else None,
        "most": LAST_FORMS,
        "here": editor_address(editor.owner),
        "export": f"{editor_address(editor.owner)}{'&' if is_version else '?'}export=1",
    }
    return TemplateResponse(request, "admin/assessments/koboform/mapping.html", context)


def _shown_row(fields: Fields, row: Row) -> dict[str, Any]:
    found = fields.of(row)
    return {
        "row": row,
        "number": row.number + 1,
        "main": found[: len(MAIN)],
        "folded": found[len(MAIN) :],
        "set": [one for one in found[len(MAIN) :] if one.is_chosen],
    }


def _choices_of_version(form: KoboForm, owner: Owner) -> list[tuple[str, str, bool, bool]]:
    """Address, name, whether it is this one, whether it has a mapping of its own."""
    own = [(editor_address(form), _now("The form's own"), owner == form, True)]
    versions = form.versions.defer("content").order_by("-first_seen_at")
    return own + [(editor_address(one), str(one), owner == one, one.mapping is not None) for one in versions]


def _shown_fit(fit: Fit, questions: tuple[Question, ...]) -> dict[str, list[str]]:
    words = {one.path: f"{one.label} ({one.path})" if one.label != one.path else one.path for one in questions}
    return {
        "missing": list(fit.missing),
        "misplaced": [words.get(path, path) for path in fit.misplaced],
        "unmapped": [words.get(path, path) for path in fit.unmapped],
    }


def _shown_preview(preview: Preview) -> dict[str, Any]:
    heads = {"unit_id": HEAD_WORDS["unit"], "day": HEAD_WORDS["date"]} | HEAD_WORDS
    return {
        "forms": preview.forms,
        "heads": [(heads[name], texts) for name, texts in preview.head_rows],
        "rows": preview.rows,
        "problems": [(one.submission, one.problems) for one in preview.forms if one.problems],
    }


def _in_row(problem: Problem, row: Row, key: str | None) -> str:
    """In a row, its fields are named as the page names them."""
    name = _FIELD_OF.get(key or "", key or "")
    if name == "times" and row.values.get("factor"):
        name = "factor"
    if name == "category" and "=" in row.values.get("figure", ""):
        name = "figure"
    known: list[str] = [*MAIN, *FOLDED]
    place = str(WORDS[name]) if name in known else _now("This row")
    return mapping_message(Problem(problem.code, place, problem.value))
