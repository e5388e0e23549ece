"""Addresses of the API."""

from django.contrib.auth.decorators import login_required
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularSwaggerSplitView as SwaggerPage
from rest_framework.routers import DefaultRouter

from assessments.api import views
from locations.api.urls import routes as location_routes


class Router(DefaultRouter):
    APIRootView = views.ApiRoot
    include_format_suffixes = False


router = Router()
for prefix, view_set, name in [
    *location_routes,
    ("enumerators", views.EnumeratorViewSet, "enumerator"),
    ("certificates", views.CertificateViewSet, "certificate"),
    ("training-sessions", views.TrainingSessionViewSet, "training-session"),
    ("form-kinds", views.FormKindViewSet, "form-kind"),
    ("rounds", views.RoundViewSet, "round"),
    ("targets", views.RoundTargetViewSet, "target"),
    ("focus-groups", views.FocusGroupViewSet, "focus-group"),
    ("submissions", views.SubmissionViewSet, "submission"),
    ("kobo-forms", views.KoboFormViewSet, "kobo-form"),
    ("sync-runs", views.SyncRunViewSet, "sync-run"),
]:
    router.register(prefix, view_set, basename=name)

urlpatterns = [
    path("", include(router.urls)),
    path("schema/", views.EnglishSchema.as_view(), name="schema"),
    # A page for people: who is not logged in is led to the log-in.
    path("docs/", login_required(SwaggerPage.as_view(url_name="schema", template_name="api/docs.html")), name="docs"),
    # With the slash, so that an address without it is still led to the one with it.
    re_path(r"^.*/$", views.Nowhere.as_view(), name="api-nowhere"),
]
