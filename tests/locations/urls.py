"""The admin and the app's own part of the API, whatever else the site has."""

from django.contrib import admin
from django.urls import include, path
from rest_framework.routers import DefaultRouter

from locations.api.urls import routes

router = DefaultRouter()
for prefix, view_set, name in routes:
    router.register(prefix, view_set, basename=name)

urlpatterns = [path("admin/", admin.site.urls), path("api/v1/", include(router.urls))]
