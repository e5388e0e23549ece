"""Letting somebody correct a form at Kobo. Writes nothing here: the correction comes back with a later sync."""

from assessments.kobo.client import KoboClient
from assessments.models import KoboSubmission

# Somebody waits for the page: two quick tries, not the patience of a background run.
CONNECT_SECONDS = 5
READ_SECONDS = 20


def edit_address(submission: KoboSubmission) -> str:
    """A link that opens this very form at Kobo for correction. A ``KoboError`` says why there is none at the moment."""
    server = submission.server
    with KoboClient(
        server.base_url, server.token, connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries=1
    ) as client:
        return client.edit_url(submission.form.asset_uid, submission.kobo_id)
