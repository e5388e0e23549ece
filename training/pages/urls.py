"""Addresses of the pages."""

from django.urls import path

from training.pages import attendance, certificates, invitation, verify

urlpatterns = [
    path("training/invitation/<str:token>/", invitation.show_invitation, name="training_invitation"),
    path("training/here/<str:token>/", attendance.show_here, name="training_here"),
    path("training/<slug:code>/attendance/", attendance.show_attendance, name="training_attendance"),
    path("training/<slug:code>/sheet.pdf", attendance.print_sheet, name="training_sheet"),
    path("verify/", verify.ask_serial, name="verify"),
    path("verify/<str:serial>/", verify.show_certificate, name="verify_certificate"),
    path("training/certificates/<str:serial>.pdf", certificates.print_certificate, name="certificate_pdf"),
    path("training/<slug:code>/certificates.pdf", certificates.print_training, name="training_certificates"),
]
