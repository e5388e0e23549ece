"""The page for what broke on our side: without the database, in the reader's language as far as it is known."""

from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.views import defaults
from django.views.decorators.csrf import requires_csrf_token


@requires_csrf_token
def show_server_error(request: HttpRequest) -> HttpResponse:
    """Where the failure came before the language was chosen, cookie and browser say which it is."""
    language = getattr(request, "LANGUAGE_CODE", None) or translation.get_language_from_request(request)
    with translation.override(language):
        return defaults.server_error(request)
