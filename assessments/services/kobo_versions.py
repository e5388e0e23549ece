"""The versions of a form: what each one asks, and until when it is accepted."""

import logging
from datetime import date

from django.db import transaction
from django.db.utils import DataError
from django.utils import timezone
from django.utils.translation import gettext as _

from assessments.kobo.client import KoboClient
from assessments.kobo.errors import KoboError
from assessments.kobo.versions import FormVersion, read_version
from assessments.models import KoboForm, KoboFormVersion
from assessments.permissions import can_connect_kobo
from dtm_ops.accounts.models import User
from dtm_ops.common.errors import Refused

logger = logging.getLogger(__name__)


def read_new_versions(form: KoboForm, *, client: KoboClient) -> int:
    """Read from Kobo what those versions ask that we know by name only, the deployed one among them. Returns how many.

    Submissions are complete without it: where Kobo cannot answer that is logged, and the next call tries again.
    """
    try:
        deployed = client.asset(form.asset_uid).deployed_version_id[:64]
    except KoboError as error:
        logger.warning("The versions of form %s were not read: %s", form.asset_uid, error)
        return 0
    if deployed:
        KoboFormVersion.objects.get_or_create(form=form, uid=deployed, defaults={"first_seen_at": timezone.now()})
    unread = list(form.versions.filter(content__isnull=True).defer("mapping").select_related("form"))
    return sum(_read_into(version, client=client) for version in unread)


def set_last_accepted(version: KoboFormVersion, day: date | None, *, by: User) -> None:
    """Forms of this version that are filled after ``day`` are flagged when they arrive; None: no limit."""
    if not can_connect_kobo(by):
        raise Refused(_("Administrators decide which versions are accepted."), code="not_allowed")
    version.last_accepted_on = day
    version.save(update_fields=["last_accepted_on"])


def _read_into(version: KoboFormVersion, *, client: KoboClient) -> bool:
    try:
        found = read_version(client.connection, version.form.asset_uid, version.uid)
        _keep(version, found)
    except (KoboError, DataError) as error:
        logger.warning("Version %s of form %s was not read: %s", version.uid, version.form_id, error)
        return False
    return True


@transaction.atomic
def _keep(version: KoboFormVersion, found: FormVersion) -> None:
    version.content, version.deployed_at = found.content, found.deployed_at
    version.save(update_fields=["content", "deployed_at"])
