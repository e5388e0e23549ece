"""All addresses of the site. What no view here declares open asks for a log-in (LoginRequiredMiddleware)."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import LogoutView, PasswordChangeView
from django.urls import include, path

from assessments.demo.cast import LOGINS
from assessments.pages.log_in import LogInView

urlpatterns = [
    path("admin/", admin.site.urls),
    path("log-in/", LogInView.as_view(demo_logins=LOGINS if settings.DEMO_ALLOWED else ()), name="login"),
    path("log-out/", LogoutView.as_view(), name="logout"),
    path(
        "password/",
        PasswordChangeView.as_view(template_name="registration/change_password.html", success_url="/"),
        name="change_password",
    ),
    path("", include("assessments.pages.urls")),
    path("", include("training.pages.urls")),
    path("", include("locations.pages.urls")),
    path("api/v1/", include("assessments.api.urls")),
]

handler500 = "assessments.pages.errors.show_server_error"
