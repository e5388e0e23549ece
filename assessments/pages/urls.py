"""Addresses of the pages."""

from django.urls import path

from assessments.pages import attachment, coverage, health, home, kobo_hook, language, my, person, report

urlpatterns = [
    path("", home.show_home, name="home"),
    path("my/", my.show_my_work, name="my_work"),
    path("my/forms/<str:code>/open/", my.open_form, name="open_form"),
    path("my/returned/<int:kobo_id>/edit/", my.edit_returned, name="edit_returned"),
    path("coverage/", home.show_current_round, name="current_coverage", kwargs={"page": "coverage"}),
    path("coverage/<str:code>/", coverage.show_coverage, name="coverage"),
    path("coverage/<str:code>/targets/", coverage.show_coverage_targets, name="coverage_targets"),
    path("reports/", home.show_current_round, name="current_report", kwargs={"page": "report"}),
    path("reports/<str:code>/", report.show_report, name="report"),
    path("reports/<str:code>/<str:unit_id>/", report.show_region_report, name="report_region"),
    path("people/<str:code>/", person.show_person, name="person"),
    path("people/<str:code>/receipts/<int:pk>/", person.show_receipt, name="person_receipt"),
    path("kobo/hook/<str:path>/", kobo_hook.take_notice, name="kobo_hook"),
    path("kobo/attachments/<int:pk>/", attachment.show_attachment, name="attachment"),
    path("language/", language.choose_language, name="choose_language"),
    path("health/", health.show_health, name="health"),
]
