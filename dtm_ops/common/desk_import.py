"""Import and export on the desk: XLSX and CSV, a dry run that shows every fault and every change, all rows or none."""

import csv
import io
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from import_export.admin import ImportExportMixin
from import_export.formats import base_formats
from import_export.forms import ConfirmImportForm, ExportForm, ImportForm
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from tablib import Dataset

from dtm_ops.common.desk import AnyUser
from dtm_ops.common.table_resource import MERGE, REPLACE, TableResource, TableResult, fold_heading, neutralise
from dtm_ops.common.tables import MOST_BYTES, TableError, read_table, refuse_twice

# So many faults are shown on the page; all of them are in the file.
MOST_FAULTS: Final = 300
FAULTS_KEPT_SECONDS: Final = 3600
MODES: Final = {
    MERGE: (
        gettext_lazy("Add and change"),
        gettext_lazy("New rows are added and known ones changed. A blank cell keeps what is there. Nobody is closed."),
    ),
    REPLACE: (
        gettext_lazy("Replace the list"),
        gettext_lazy("The file is the whole list: who is not in it is closed, and a blank cell empties what is there."),
    ),
}


class TableFormat(base_formats.Format):
    """Whatever `read_table` reads: the file itself says whether it is a workbook or text. Headings may be the names
    of the columns or their labels in any language.
    """

    resource: type[TableResource]

    def __init__(self, encoding: str | None = None) -> None:
        self.encoding = encoding

    def get_title(self) -> str:
        return str(gettext_lazy("XLSX or CSV"))

    def can_import(self) -> bool:
        return True

    def create_dataset(self, in_stream: bytes | None) -> Dataset:
        if in_stream is None:
            raise TableError(_("The file was chosen too long ago. Choose it again."))
        known = self.resource.headings()
        table = read_table(in_stream, is_heading=lambda heading: fold_heading(heading) in known)
        if not table.rows:
            raise TableError(_("There are headings, but no rows below them."))
        names = [known.get(fold_heading(heading), heading) for heading in table.headings]
        refuse_twice(table.headings, names)
        dataset = Dataset(*table.rows, headers=names)
        dataset.lines, dataset.top = table.lines, table.top
        dataset.shown = dict(zip(names, table.headings, strict=True))
        return dataset


class XLSX(base_formats.XLSX):
    pass


class CSV(base_formats.CSV):
    """With the mark by which Excel knows UTF-8."""

    def export_data(self, dataset: Dataset, **kwargs: Any) -> str:
        return "\ufeff" + str(super().export_data(dataset, **kwargs))


class TableImportForm(ImportForm):
    """``mode`` is asked where the resource has more than one."""

    mode = forms.ChoiceField(label=gettext_lazy("What the file is"), widget=forms.RadioSelect, required=False)

    def __init__(self, formats: Any, resources: Any, **kwargs: Any) -> None:
        super().__init__(formats, resources, **kwargs)
        mode: Any = self.fields["mode"]
        mode.choices = [(name, MODES[name][0]) for name in resources[0].modes]
        mode.initial = resources[0].modes[0]
        if len(mode.choices) == 1:
            del self.fields["mode"]

    @property
    def media(self) -> forms.Media:
        return forms.Media()

    @property
    def explained_modes(self) -> list[tuple[Any, Any]]:
        return [(one, MODES[one.data["value"]][1]) for one in self["mode"]] if "mode" in self.fields else []

    def clean_import_file(self) -> Any:
        chosen = self.cleaned_data["import_file"]
        if chosen.size > MOST_BYTES:
            raise forms.ValidationError(
                _("The file is larger than %(most)s MB.") % {"most": MOST_BYTES // 1024 // 1024}
            )
        return chosen

    def clean_mode(self) -> str:
        return self.cleaned_data["mode"] or str(self.fields["mode"].initial)


class TableConfirmForm(ConfirmImportForm):
    """``digest`` stands for what the check has shown: an import that would do anything else is not done."""

    mode = forms.ChoiceField(choices=[(name, name) for name in MODES], required=False, widget=forms.HiddenInput)
    digest = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)
    sure = forms.BooleanField(
        label=gettext_lazy("Yes, this file is the whole list: close who is not in it."), required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.asks_whether_sure = (self.data.get("mode") or self.initial.get("mode")) == REPLACE
        if not self.asks_whether_sure:
            self.fields["sure"].widget = forms.HiddenInput()

    def clean_sure(self) -> bool:
        if self.asks_whether_sure and not self.cleaned_data["sure"]:
            raise forms.ValidationError(_("Tick this to replace the list. Nothing was imported."))
        return bool(self.cleaned_data["sure"])


class TableExportForm(ExportForm):
    def __init__(self, formats: Any, resources: Any, **kwargs: Any) -> None:
        super().__init__(formats, resources, **kwargs)
        choice: Any = self.fields["format"]
        choice.choices = [(value, label) for value, label in choice.choices if value]
        choice.initial = "0"


class TableAdmin(ImportExportMixin):
    """For an admin page whose rows come and go as a table. ``may_import`` is the predicate of who writes.

    ``find_receipt`` gives the receipt of an import by its number, to those who may read it: ``title``, ``at``, ``by``
    and ``lines``. Without it an import ends at the list.
    """

    may_import: Callable[[AnyUser], bool]
    find_receipt: Callable[..., Any] | None = None
    export_formats = [XLSX, CSV]
    import_form_class = TableImportForm
    confirm_form_class = TableConfirmForm
    export_form_class = TableExportForm
    import_template_name = "admin/import_table.html"
    receipt_template_name = "admin/import_receipt.html"
    import_export_change_list_template = "admin/change_list_table.html"

    def has_import_permission(self, request: HttpRequest) -> bool:
        return self.may_import(request.user)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return bool(self.has_view_permission(request))

    def get_urls(self) -> list[URLPattern]:
        start = "{}_{}".format(*self.get_model_info())
        pages = [
            ("import/template/", self.template_view, "import_template"),
            ("import/faults/<path:object_id>/", self.faults_view, "import_faults"),
            ("import/receipt/<path:object_id>/", self.receipt_view, "import_receipt"),
        ]
        own = [path(route, self.admin_site.admin_view(view), name=f"{start}_{name}") for route, view, name in pages]
        return [*own, *super().get_urls()]

    def get_import_formats(self) -> list[type[TableFormat]]:
        return [type("ResourceFormat", (TableFormat,), {"resource": self.resource_classes[0]})]

    def get_import_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        return {"user": request.user, "mode": _mode_of(kwargs.get("form"))}

    def get_export_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        return {"user": request.user}

    def get_export_data(self, file_format: Any, request: HttpRequest, queryset: Any, **kwargs: Any) -> Any:
        """Numbers and dates stay what they are in a workbook."""
        data = self.get_data_for_export(
            request, queryset, force_native_type=isinstance(file_format, base_formats.XLSX), **kwargs
        )
        return file_format.export_data(data)

    def get_confirm_form_initial(self, request: HttpRequest, import_form: Any) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_confirm_form_initial(request, import_form)
        return {**initial, "mode": _mode_of(import_form)}

    def add_data_read_fail_error_to_form(self, form: forms.Form, e: Exception) -> None:
        if not isinstance(e, TableError):
            raise e
        form.add_error("import_file", str(e))

    def import_action(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """The first step: choose a file, and see what is wrong with it or what it would do."""
        response = super().import_action(request, **kwargs)
        context = response.context_data
        result = context.get("result")
        context |= self._import_context()
        if result is not None:
            chosen = context["form"].cleaned_data
            context |= self._outcome_context(request, result, mode=_mode_of(context["form"]))
            context["file_name"] = chosen["import_file"].name
        if "confirm_form" in context:
            context["confirm_form"].initial["digest"] = result.digest
        page: HttpResponse = response
        return page

    @method_decorator(require_POST)
    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """The second: import what the check has shown, all of it."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        form = TableConfirmForm(request.POST)
        form.is_valid()
        asked = form.cleaned_data
        kept = self.get_tmp_storage_class()(name=asked.get("import_file_name", ""), read_mode="rb")
        try:
            dataset = self.get_import_formats()[0]().create_dataset(kept.read())
        except TableError as error:
            return self._refuse_import(request, str(error))
        if form.errors:
            return self._check_again(request, form, dataset)
        result = self.process_dataset(dataset, form, request)
        kept.remove()
        if result.has_errors() or result.has_validation_errors():
            sentence = _("Something changed since the check: nothing was imported. Choose the file again to see what.")
            return self._refuse_import(request, sentence)
        return self.process_result(result, request)

    def process_dataset(self, dataset: Dataset, form: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """All or nothing: what changed since the dry run undoes the rest. ``expected``: "" of a form without digest."""
        asked = form.cleaned_data
        resource = self.resource_classes[0](**self.get_import_resource_kwargs(request, form=form))
        return resource.import_data(
            dataset,
            rollback_on_validation_errors=True,
            use_transactions=True,
            expected=asked.get("digest", ""),
            file_name=asked.get("original_file_name", ""),
        )

    def process_result(self, result: TableResult, request: HttpRequest) -> HttpResponse:
        self.add_success_message(result, request)
        if self.find_receipt is not None and result.receipt is not None:
            return HttpResponseRedirect(self._import_address("import_receipt", result.receipt.pk))
        return HttpResponseRedirect(self._import_address("changelist"))

    def add_success_message(self, result: TableResult, request: HttpRequest) -> None:
        counts = {"new": result.new, "changed": result.changed, "same": result.same, "closed": len(result.closing)}
        sentence = _("Imported: %(new)s new, %(changed)s changed, %(same)s the same as before.")
        if result.closing:
            sentence = _("Imported: %(new)s new, %(changed)s changed, %(same)s the same as before, %(closed)s closed.")
        messages.success(request, sentence % counts)

    def faults_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """All faults of a file that was checked a moment ago, for whoever mends it elsewhere."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        faults = cache.get(_faults_key(request, object_id))
        if faults is None:
            raise Http404
        written = io.StringIO()
        writer = csv.writer(written)
        writer.writerow([_("Line"), _("Column"), _("What is wrong"), _("Value")])
        writer.writerows([neutralise(cell) for cell in fault] for fault in faults)
        response = HttpResponse("\ufeff" + written.getvalue(), content_type="text/csv; charset=utf-8")
        response.headers["Content-Disposition"] = f'attachment; filename="{self.opts.model_name}_faults.csv"'
        return response

    def receipt_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What an import has done, line by line."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        is_number = object_id.isascii() and object_id.isdigit() and len(object_id) < 19
        receipt = self.find_receipt(int(object_id), user=request.user) if self.find_receipt and is_number else None
        if receipt is None:
            raise Http404
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": receipt.title,
            "receipt": receipt,
            "lines": receipt.lines[:MOST_FAULTS],
            "more": max(0, len(receipt.lines) - MOST_FAULTS),
        }
        return TemplateResponse(request, self.receipt_template_name, context)

    def template_view(self, request: HttpRequest) -> HttpResponse:
        """An empty workbook with the headings, and on its second sheet what belongs under each."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        resource = self.resource_classes[0]
        book = Workbook()
        sheet: Any = book.active
        sheet.title = "data"
        sheet.append(resource.columns())
        sheet.freeze_panes = "A2"
        notes: Any = book.create_sheet(str(_("how to fill in"))[:31])
        for row in [(_("Column"), _("What belongs there")), *self._guide()]:
            notes.append([str(cell) for cell in row])
        for cell in [*sheet[1], *notes[1]]:
            cell.font = Font(bold=True)
        for column in sheet.columns:
            sheet.column_dimensions[column[0].column_letter].width = 18
            for number in range(2, 502):
                # Text, so that a spreadsheet makes no number of a phone or a code with zeros before it.
                sheet.cell(number, column[0].column).number_format = "@"
        notes.column_dimensions["A"].width, notes.column_dimensions["B"].width = 22, 90
        for note in notes["B"]:
            note.alignment = Alignment(wrap_text=True)
        written = io.BytesIO()
        book.save(written)
        response = HttpResponse(written.getvalue(), content_type=base_formats.XLSX.CONTENT_TYPE)
        response.headers["Content-Disposition"] = f'attachment; filename="{self.opts.model_name}_template.xlsx"'
        return response

    def _guide(self) -> list[tuple[str, str]]:
        resource = self.resource_classes[0]
        return [(name, str(resource.guide.get(name, ""))) for name in resource.columns()]

    def _import_address(self, page: str, *args: Any) -> str:
        return reverse("admin:{}_{}_{}".format(*self.get_model_info(), page), args=args)

    def _refuse_import(self, request: HttpRequest, sentence: str) -> HttpResponse:
        messages.error(request, sentence)
        return HttpResponseRedirect(self._import_address("import"))

    def _check_again(self, request: HttpRequest, form: Any, dataset: Dataset) -> HttpResponse:
        """The tick is missing: the same page again, with what it says about it."""
        resource = self.resource_classes[0](**self.get_import_resource_kwargs(request, form=form))
        result = resource.import_data(dataset, dry_run=True, use_transactions=True)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            **self._import_context(),
            **self._outcome_context(request, result, mode=_mode_of(form)),
            "file_name": form.cleaned_data.get("original_file_name", ""),
            "form": self.create_import_form(request),
        }
        if not result.faults:
            context["confirm_form"] = form
        return TemplateResponse(request, self.import_template_name, context)

    def _import_context(self) -> dict[str, Any]:
        return {
            "title": _("Import: %(name)s") % {"name": self.opts.verbose_name_plural},
            "template_address": self._import_address("import_template"),
            "guide": self._guide(),
        }

    def _outcome_context(self, request: HttpRequest, result: TableResult, *, mode: str) -> dict[str, Any]:
        context: dict[str, Any] = {
            "result": result,
            "faults": result.faults,
            "verdict": verdict(result, replaces=mode == REPLACE),
            "mode": MODES[mode][0],
            "nothing_to_do": not (result.new or result.changed or result.closing),
        }
        if result.faults:
            token = uuid4().hex
            cache.set(_faults_key(request, token), [tuple(fault) for fault in result.faults], FAULTS_KEPT_SECONDS)
            context["faults_address"] = self._import_address("import_faults", token)
            context["shown_faults"] = result.faults[:MOST_FAULTS]
            context["more_faults"] = max(0, len(result.faults) - MOST_FAULTS)
        return context


def verdict(result: TableResult, *, replaces: bool) -> str:
    """In one sentence: what the file would do, or that it does nothing."""
    if result.faults:
        counts = {"faults": len(result.faults), "rows": result.rows_with_faults}
        return _("Faults: %(faults)s, in rows: %(rows)s. Nothing was imported.") % counts
    counts = {"new": result.new, "changed": result.changed, "same": result.same, "closed": len(result.closing)}
    if not (result.new or result.changed or result.closing):
        return _("0 changes: %(same)s rows are the same as here.") % counts
    if replaces:
        return _("%(new)s new, %(changed)s changed, %(same)s the same, %(closed)s closed.") % counts
    return _("%(new)s new, %(changed)s changed, %(same)s the same.") % counts


def _mode_of(form: Any) -> str:
    return str(getattr(form, "cleaned_data", {}).get("mode") or MERGE)


def _faults_key(request: HttpRequest, token: str) -> str:
    return f"import-faults-{request.user.pk}-{token[:40]}"
