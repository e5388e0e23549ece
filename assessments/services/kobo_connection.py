"""Connecting a Kobo project: server, token, form, mapping."""

import re
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from assessments.kobo.client import KoboClient
from assessments.kobo.mapping import load_mapping
from assessments.kobo.mapping_checks import MappingError
from assessments.kobo.questions import missing_questions
from assessments.models import AssessmentRound, KoboForm, KoboServer
from assessments.services.kobo_versions import read_new_versions
from dtm_ops.common.errors import Refused
from training.models import FormKind


@dataclass(frozen=True, slots=True)
class Connection:
    """What connecting found. ``missing``: question paths that the mapping names and the deployed form has not."""

    form: KoboForm
    created: bool
    missing: tuple[str, ...] = field(default_factory=tuple)


def open_client(server: KoboServer) -> KoboClient:
    return KoboClient(server.base_url, server.token)


def connect_form(
    client: KoboClient,
    *,
    base_url: str,
    token: str,
    asset_uid: str,
    form_kind: FormKind,
    assessment_round: AssessmentRound,
    mapping: dict[str, Any],
    major_version: int = 1,
) -> Connection:
    """Register a server and a form of it, after asking the server (by ``client``) whether the token and the project
    are right.

    Connecting again renews the token and the mapping. A ``KoboError`` says what the server objects to; nothing is
    written then. A form with submissions keeps its round and kind: another round's data cannot be turned into this
    one's.
    """
    base_url = server_address(base_url)
    try:
        load_mapping(mapping)
    except MappingError as error:
        raise Refused(_("The mapping is not usable: %(why)s") % {"why": error}, code="mapping") from None
    username = client.whoami()
    asset = client.asset(asset_uid)
    content = client.version_content(asset_uid, asset.deployed_version_id) if asset.deployed_version_id else {}
    with transaction.atomic():
        server, _made = KoboServer.objects.get_or_create(
            base_url=base_url, defaults={"name": base_url.partition("://")[2], "token": token, "username": username}
        )
        server.token, server.username = token, username
        server.save(update_fields=["token", "username"])
        form = KoboForm.objects.select_for_update().filter(server=server, asset_uid=asset_uid).first()
        created = form is None
        if form is None:
            form = KoboForm(server=server, asset_uid=asset_uid)
        elif form.submissions.exists() and (form.round_id, form.form_kind_id) != (assessment_round.pk, form_kind.pk):
            raise Refused(_("This project has submissions of another round or form kind."), code="form_in_use")
        form.name, form.form_kind, form.round = asset.name[:200], form_kind, assessment_round
        form.mapping, form.major_version, form.next_sync_at = mapping, major_version, None
        form.save()
    read_new_versions(form, client=client)
    return Connection(form=form, created=created, missing=missing_questions(mapping, content))


def server_address(typed: str) -> str:
    """The server alone: people paste the address of the API or of a project."""
    return re.sub(r"/(api/v2|#).*$", "", typed.strip()).rstrip("/")
