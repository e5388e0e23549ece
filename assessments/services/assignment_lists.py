"""The list of focus groups that phones offer to each enumerator: a CSV file of the form at Kobo.

What is at Kobo is judged by Kobo's own answer (hash, time of deployment), so that a run which was cut off anywhere, or
somebody else's file, is made good by the next one. A tick in which nothing changed asks Kobo nothing.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from assessments.enums import FocusGroupStatus, RoundStatus
from assessments.kobo import deployment
from assessments.kobo.client import KoboClient
from assessments.kobo.deployment import Project
from assessments.kobo.errors import KoboError, KoboRejected, KoboUnavailable
from assessments.kobo.form_media import MediaFile, find_media, md5_of, put_media
from assessments.models import AssignmentList, KoboForm, SessionAssignment
from locations.selectors import zones_of

LIST_FILE = "focus_groups.csv"
# `name` and `label` are what a phone needs of a choice, `person` is what it filters by. The names of a place are also
# columns of their own, for forms that show one of them.
COLUMNS = (
    "name", "label", "person", "person_name", "place", "place_en", "place_ru", "place_kk", "date",
)  # fmt: skip
# A file without a line stops phones (JavaRosa before 4.3) from opening the form. No person has this code.
_FILLER = dict.fromkeys(COLUMNS, "") | {"name": "none", "label": "–", "person": "-"}

AGAIN_SOON = timedelta(minutes=10)
# Until a person has acted; the button asks at once.
AGAIN_LATER = timedelta(hours=6)
# So often Kobo is asked whether it still has what was sent, without any change here.
CHECK_EVERY = timedelta(days=1)


def empty_list() -> bytes:
    return _write([])


def write_list(form: KoboForm) -> tuple[bytes, int]:
    """The file for a form, and how many lines of focus groups it has. The same plan gives the same bytes."""
    rows = list(
        SessionAssignment.objects.active()
        .filter(
            focus_group__status=FocusGroupStatus.PLANNED,
            focus_group__target__round=form.round_id,
            focus_group__target__form_kind=form.form_kind_id,
        )
        .select_related("enumerator", "focus_group__target__unit")
        .order_by("focus_group__starts_at", "focus_group__code", "enumerator__code")
    )
    zones = zones_of({row.focus_group.target.unit for row in rows})
    return _write(_describe(row, zones) for row in rows), len(rows)


def _describe(row: SessionAssignment, zones: Mapping[int, Any]) -> dict[str, str]:
    group, person = row.focus_group, row.enumerator
    unit = group.target.unit
    places = {language: str(unit.names.get(language) or "") for language in ("en", "ru", "kk")}
    names = dict.fromkeys(name for name in reversed(places.values()) if name)
    day = group.starts_at.astimezone(zones[unit.pk]).date().isoformat() if group.starts_at else ""
    return {
        "name": group.code,
        # A file has one label for all languages: the place by all its names.
        "label": " · ".join(part for part in (day, " / ".join(names) or unit.code, group.code) if part),
        # In capital letters, as the form makes them of what people type: phones compare letter by letter.
        "person": person.code,
        "person_name": person.full_name,
        "place": unit.unit_id,
        **{f"place_{language}": name for language, name in places.items()},
        "date": day,
    }


def _write(rows: Iterable[Mapping[str, str]]) -> bytes:
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in (_FILLER, *rows):
        writer.writerow({name: " ".join(value.split()) for name, value in row.items()})
    return file.getvalue().encode()


def find_due_forms(now: datetime | None = None) -> list[KoboForm]:
    """Forms whose phones have another list than the plan has now, or whose list was not looked at for a day."""
    at = now or timezone.now()
    forms = KoboForm.objects.filter(is_active=True, round__status=RoundStatus.OPEN)
    return [form for form in forms.select_related("assignment_list") if _is_due(form, at)]


def _is_due(form: KoboForm, now: datetime) -> bool:
    known: AssignmentList | None = getattr(form, "assignment_list", None)
    if known is None or known.checked_at is None:
        return True
    if known.error_code:
        return now >= known.checked_at + (AGAIN_SOON if known.error_params.get("again_soon") else AGAIN_LATER)
    return now >= known.checked_at + CHECK_EVERY or not is_current(known, write_list(form)[0])


def is_current(known: AssignmentList, content: bytes) -> bool:
    return known.md5 == md5_of(content)


def publish_assignment_list(form: KoboForm, client: KoboClient) -> AssignmentList:
    """Make the phones of the form have its list: compare, replace only what differs, deploy, read back.

    What Kobo objects to is kept in the row and not raised. Nothing else of the project changes: changes that somebody
    else has not deployed yet, and an archived form, stop it before anything is sent.
    """
    content, lines = write_list(form)
    now = timezone.now()
    try:
        published_at = _publish(form.asset_uid, client, content)
    except KoboError as error:
        params = {**error.params, "again_soon": isinstance(error, KoboUnavailable)}
        return _keep(form, checked_at=now, error_code=error.code[:40], error_params=params)
    return _keep(
        form, md5=md5_of(content), lines=lines, published_at=published_at, checked_at=now, error_code="",
        error_params={},
    )  # fmt: skip


def _keep(form: KoboForm, **values: Any) -> AssignmentList:
    row, _made = AssignmentList.objects.update_or_create(form=form, defaults=values)
    return row


def _publish(asset_uid: str, client: KoboClient, content: bytes) -> datetime:
    """When phones could get it first."""
    connection = client.connection
    project = deployment.read_project(connection, asset_uid)
    _check_project(project, client)
    file, sent = put_media(connection, asset_uid, LIST_FILE, content)
    if sent or not _is_on_phones(file, project):
        project = deployment.deploy(connection, asset_uid, version_id=project.version_id)
        files = find_media(connection, asset_uid, LIST_FILE)
        if [one.md5 for one in files] != [md5_of(content)] or not _is_on_phones(files[0], project):
            raise KoboUnavailable("not_taken", host=client.host, asset_uid=asset_uid)
    return project.deployed_at or timezone.now()


def _check_project(project: Project, client: KoboClient) -> None:
    known = {"host": client.host, "asset_uid": project.uid}
    if project.status == "draft":
        raise KoboRejected("not_deployed", **known)
    if project.status == "archived":
        raise KoboRejected("archived", **known)
    if project.has_undeployed_changes:
        raise KoboRejected("undeployed_changes", **known)
    survey = project.draft.get("survey")
    asked = {row.get("file") for row in (survey if isinstance(survey, list) else []) if isinstance(row, dict)}
    if LIST_FILE not in asked:
        raise KoboRejected("list_not_asked", **known, file=LIST_FILE)


def _is_on_phones(file: MediaFile, project: Project) -> bool:
    """Media reach phones with a deployment that comes after them."""
    if file.created_at is None or project.deployed_at is None:
        return False
    return file.created_at <= project.deployed_at
