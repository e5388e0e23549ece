"""Addresses of the pages."""

from django.urls import path

from locations.pages import my_places

urlpatterns = [
    path("my/places/", my_places.show_my_places, name="my_places"),
    path("my/places/new/", my_places.propose_place, name="my_place_new"),
    path("places/photos/<int:pk>/", my_places.show_photo, name="place_photo"),
]
