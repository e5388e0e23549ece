"""Import and export on the desk: XLSX and CSV, a dry run that shows every fault, all rows or none."""

import io
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export import results
from import_export.admin import ImportExportMixin
from import_export.formats import base_formats
from import_export.forms import ExportForm, ImportForm
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from tablib import Dataset

from dtm_ops.common.desk import AnyUser
from dtm_ops.common.tables import MOST_BYTES, TableError, read_table


class TableFormat(base_formats.Format):
    """Whatever `read_table` reads: the file itself says whether it is a workbook or text."""

    def __init__(self, encoding: str | None = None) -> None:
        self.encoding = encoding

    def get_title(self) -> str:
        return str(gettext_lazy("XLSX or CSV"))

    def can_import(self) -> bool:
        return True

    def create_dataset(self, in_stream: bytes | None) -> Dataset:
        if in_stream is None:
            raise TableError(_("The file was chosen too long ago. Choose it again."))
        table = read_table(in_stream)
        if not table.rows:
            raise TableError(_("There are headings, but no rows below them."))
        dataset = Dataset(*table.rows, headers=list(table.headings))
        dataset.lines = table.lines
        return dataset


class XLSX(base_formats.XLSX):
    pass


class CSV(base_formats.CSV):
    """With the mark by which Excel knows UTF-8."""

    def export_data(self, dataset: Dataset, **kwargs: Any) -> str:
        return "\ufeff" + str(super().export_data(dataset, **kwargs))


class TableImportForm(ImportForm):
    @property
    def media(self) -> forms.Media:
        return forms.Media()

    def clean_import_file(self) -> Any:
        chosen = self.cleaned_data["import_file"]
        if chosen.size > MOST_BYTES:
            raise forms.ValidationError(
                _("The file is larger than %(most)s MB.") % {"most": MOST_BYTES // 1024 // 1024}
            )
        return chosen


class TableExportForm(ExportForm):
    def __init__(self, formats: Any, resources: Any, **kwargs: Any) -> None:
        super().__init__(formats, resources, **kwargs)
        choice: Any = self.fields["format"]
        choice.choices = [(value, label) for value, label in choice.choices if value]
        choice.initial = "0"


class TableAdmin(ImportExportMixin):
    """For an admin page whose rows come and go as a table. ``may_import`` is the predicate of who writes."""

    may_import: Callable[[AnyUser], bool]
    import_formats = [TableFormat]
    export_formats = [XLSX, CSV]
    import_form_class = TableImportForm
    export_form_class = TableExportForm
    import_template_name = "admin/import_table.html"
    import_export_change_list_template = "admin/change_list_table.html"

    def has_import_permission(self, request: HttpRequest) -> bool:
        return self.may_import(request.user)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return bool(self.has_view_permission(request))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.template_view)
        return [
            path("import/template/", view, name="{}_{}_import_template".format(*self.get_model_info())),
            *super().get_urls(),
        ]

    def get_import_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        return {"user": request.user}

    def get_export_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        return {"user": request.user}

    def get_export_data(self, file_format: Any, request: HttpRequest, queryset: Any, **kwargs: Any) -> Any:
        """Numbers and dates stay what they are in a workbook."""
        data = self.get_data_for_export(
            request, queryset, force_native_type=isinstance(file_format, base_formats.XLSX), **kwargs
        )
        return file_format.export_data(data)

    def add_data_read_fail_error_to_form(self, form: forms.Form, e: Exception) -> None:
        if not isinstance(e, TableError):
            raise e
        form.add_error("import_file", str(e))

    def import_action(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        response = super().import_action(request, **kwargs)
        context = response.context_data
        result = context.get("result")
        context["title"] = _("Import: %(name)s") % {"name": self.opts.verbose_name_plural}
        context["template_address"] = reverse("admin:{}_{}_import_template".format(*self.get_model_info()))
        context["guide"] = self._guide()
        if result is not None:
            # The file was read a moment ago, and read well, else there would be no result.
            file: Any = request.FILES["import_file"]
            file.seek(0)
            columns = {one.attribute: one.column_name for one in self.resource_classes[0].fields.values()}
            context["faults"] = faults_of(result, lines=read_table(file.read()).lines, columns=columns)
        page: HttpResponse = response
        return page

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if request.method == "POST" and not self.has_import_permission(request):
            raise PermissionDenied
        try:
            answer: HttpResponse = super().process_import(request, **kwargs)
        except TableError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse("admin:{}_{}_import".format(*self.get_model_info())))
        return answer

    def process_dataset(self, dataset: Dataset, form: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """All or nothing: what changed since the dry run and is wrong now undoes the rest."""
        return super().process_dataset(dataset, form, request, **{**kwargs, "rollback_on_validation_errors": True})

    def process_result(self, result: Any, request: HttpRequest) -> HttpResponse:
        if result.has_errors() or result.has_validation_errors():
            messages.error(
                request,
                _("Something changed since the check: nothing was imported. Choose the file again to see what."),
            )
            return HttpResponseRedirect(reverse("admin:{}_{}_import".format(*self.get_model_info())))
        response: HttpResponse = super().process_result(result, request)
        return response

    def add_success_message(self, result: Any, request: HttpRequest) -> None:
        totals = result.totals
        messages.success(
            request,
            _("Imported: %(new)s new, %(changed)s changed, %(same)s the same as before.")
            % {
                "new": totals[results.RowResult.IMPORT_TYPE_NEW],
                "changed": totals[results.RowResult.IMPORT_TYPE_UPDATE],
                "same": totals[results.RowResult.IMPORT_TYPE_SKIP],
            },
        )

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


def faults_of(result: Any, *, lines: tuple[int, ...], columns: dict[str, str]) -> list[tuple[str, str, str]]:
    """Every fault of every row as (line of the file, column, sentence); line "" where it is the whole file's."""
    faults = [("", "", sentence) for error in result.base_errors for sentence in _sentences(error.error)]
    for number, errors in result.row_errors():
        faults += [(str(lines[number - 1]), "", sentence) for error in errors for sentence in _sentences(error.error)]
    for row in result.invalid_rows:
        by_column = {**row.field_specific_errors, NON_FIELD_ERRORS: row.non_field_specific_errors}
        for column, sentences in by_column.items():
            shown = "" if column == NON_FIELD_ERRORS else columns.get(column, column)
            faults += [(str(lines[row.number - 1]), shown, str(sentence)) for sentence in sentences]
    # Without headings that are right, what the rows say is noise.
    whole = [fault for fault in faults if not fault[0]]
    return whole or sorted(faults, key=lambda fault: int(fault[0]))


def _sentences(error: BaseException) -> list[str]:
    return list(getattr(error, "messages", None) or [str(error)])
