"""All addresses of the site. What no view here declares open asks for a log-in (LoginRequiredMiddleware)."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("log-in/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("log-out/", auth.LogoutView.as_view(), name="logout"),
    path("", include("assessments.pages.urls")),
    path("api/v1/", include("assessments.api.urls")),
]
