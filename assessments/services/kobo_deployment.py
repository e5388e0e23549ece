"""Bringing a shipped form to a Kobo server, so that what phones get is what was meant, or nothing changes."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from assessments.kobo import deployment
from assessments.kobo.client import KoboClient
from assessments.kobo.deployment import ADD_SUBMISSIONS, Project
from assessments.kobo.errors import KoboRejected
from assessments.kobo.form_diff import Touch, compare_forms, find_touched
from assessments.kobo.form_media import find_media, put_media
from assessments.kobo.forms import KINDS, XlsForm, form_content, read_form, read_mapping, write_xlsx
from assessments.models import AssessmentRound, KoboForm
from assessments.services.assignment_lists import LIST_FILE, empty_list
from assessments.services.kobo_connection import server_address
from dtm_ops.common.errors import Refused

# As many as a sentence can carry; the whole list is in ``Deployment.touches``.
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Deployment:
    """What became of it. ``asset_uid`` "" and ``version_id`` "": nothing is there yet (a dry run).

    ``touches``: every difference between what phones had and what they get. ``shared``: who was given the right to
    send forms now.
    """

    name: str
    asset_uid: str = ""
    version_id: str = ""
    created: bool = False
    sent: bool = False
    deployed: bool = False
    touches: tuple[Touch, ...] = ()
    shared: tuple[str, ...] = field(default_factory=tuple)


class BreakingChange(Refused):
    """The form would take answers away from what reads them. ``deployment`` lists all differences."""

    code = "breaking_change"

    def __init__(self, message: str, plan: Deployment) -> None:
        super().__init__(message)
        self.deployment = plan


def deploy_form(
    client: KoboClient,
    kind: str,
    *,
    base_url: str,
    assessment_round: AssessmentRound | None = None,
    asset_uid: str = "",
    share: Sequence[str] = (),
    accept_changes: bool = False,
    dry_run: bool = False,
) -> Deployment:
    """Create and deploy the form of a kind, or bring the project that is there up to date. Again: nothing is sent.

    A round has a project of its own: the one that is connected, else one of its name that the account owns. Raises
    `BreakingChange`, `Refused` (several projects, an archived one, changes at Kobo that would be lost) or `KoboError`;
    phones then still have what they had. ``dry_run`` only looks and refuses nothing.
    """
    if kind not in KINDS:
        raise Refused(_("No form of the kind %(kind)s is shipped.") % {"kind": kind}, code="no_form")
    form = _name_form(read_form(kind), assessment_round)
    name = form.settings["form_title"]
    project = _find_project(client, form, kind=kind, base_url=base_url, round_=assessment_round, asset_uid=asset_uid)
    content = form_content(kind)
    if project is None:
        if dry_run:
            return Deployment(name, created=True)
        return _create(client, form, content, share)
    plan = _plan(client, project, content, _mapping_of(project, kind, base_url))
    if dry_run:
        return plan
    if not accept_changes:
        _refuse_harm(plan, project, content)
    return _share(client, _update(client, project, form, content, plan), share)


def _name_form(form: XlsForm, assessment_round: AssessmentRound | None) -> XlsForm:
    """The title is the project's name at Kobo: each round has a project of its own."""
    if assessment_round is None:
        return form
    title = f"{form.settings['form_title']} {assessment_round.code}"
    return replace(form, settings={**form.settings, "form_title": title})


def _find_project(
    client: KoboClient,
    form: XlsForm,
    *,
    kind: str,
    base_url: str,
    round_: AssessmentRound | None,
    asset_uid: str,
) -> Project | None:
    if not asset_uid and round_ is not None:
        connected = KoboForm.objects.filter(
            server__base_url=server_address(base_url), round=round_, form_kind__code=kind, is_active=True
        ).values_list("asset_uid", flat=True)
        asset_uid = _take_only(list(connected))
    if asset_uid:
        return deployment.read_project(client.connection, asset_uid)
    name, form_id = form.settings["form_title"], form.settings["form_id"]
    found = deployment.find_projects(client.connection, name, owner=client.whoami())
    # The list carries no content: the project itself says whether it is this form or merely bears its name.
    whole = [deployment.read_project(client.connection, project.uid) for project in found]
    own = [one for one in whole if (one.draft.get("settings") or {}).get("id_string") in (form_id, one.uid)]
    uid = _take_only([one.uid for one in own])
    return next((one for one in own if one.uid == uid), None)


def _take_only(uids: list[str]) -> str:
    if len(uids) > 1:
        raise Refused(
            _("There are several such projects: %(uids)s. Name the one that is meant.") % {"uids": ", ".join(uids)},
            code="several_projects",
        )
    return uids[0] if uids else ""


def _mapping_of(project: Project, kind: str, base_url: str) -> Mapping[str, Any]:
    """The mapping that will read the answers: the connected form's, which may have been mended; else the shipped."""
    connected = KoboForm.objects.filter(server__base_url=server_address(base_url), asset_uid=project.uid).first()
    shipped = read_mapping(kind)
    return connected.mapping if connected else shipped if isinstance(shipped, dict) else {}


def _plan(client: KoboClient, project: Project, content: Mapping[str, Any], mapping: Mapping[str, Any]) -> Deployment:
    plan = Deployment(project.name, project.uid, project.version_id)
    if not project.deployed_version_id:
        return plan
    old = client.version_content(project.uid, project.deployed_version_id)
    return replace(plan, touches=find_touched(compare_forms(old, content), content, mapping))


def _refuse_harm(plan: Deployment, project: Project, content: Mapping[str, Any]) -> None:
    if project.status == "archived":
        raise Refused(_("The project is archived at Kobo: deploying would open it again."), code="archived")
    breaking = [touch for touch in plan.touches if touch.is_breaking]
    if breaking:
        shown = "; ".join(f"{one.change.kind} {one.change.path} ({', '.join(one.places)})" for one in breaking[:_SHOWN])
        raise BreakingChange(
            _("Answers would be missing or change their meaning: %(count)s differences, among them %(shown)s.")
            % {"count": len(breaking), "shown": shown},
            plan,
        )
    # A draft that is neither deployed nor ours is somebody's work.
    if project.deployed_version_id and project.has_undeployed_changes and compare_forms(project.draft, content):
        raise Refused(_("The project has changes at Kobo that nobody deployed; they would be lost."), code="draft")


def _create(client: KoboClient, form: XlsForm, content: Mapping[str, Any], share: Sequence[str]) -> Deployment:
    uid = deployment.import_form(client.connection, _make_workbook(form), filename=f"{form.kind}.xlsx")
    done = _deploy(client, deployment.read_project(client.connection, uid), content)
    made = Deployment(done.name, uid, done.version_id, created=True, sent=True, deployed=True)
    return _share(client, made, share)


def _update(
    client: KoboClient, project: Project, form: XlsForm, content: Mapping[str, Any], plan: Deployment
) -> Deployment:
    is_new = bool(compare_forms(project.draft, content))
    if is_new:
        # The title of an imported form becomes the project's name: it keeps the one it has.
        form = replace(form, settings={**form.settings, "form_title": project.name})
        deployment.import_form(
            client.connection, _make_workbook(form), filename=f"{form.kind}.xlsx", asset_uid=project.uid
        )
        project = deployment.read_project(client.connection, project.uid)
    needs_file = not find_media(client.connection, project.uid, LIST_FILE)
    if not is_new and not needs_file and project.status == "deployed" and not project.has_undeployed_changes:
        return plan
    done = _deploy(client, project, content)
    return replace(plan, version_id=done.version_id, sent=is_new, deployed=True)


def _deploy(client: KoboClient, project: Project, content: Mapping[str, Any]) -> Project:
    """Only what Kobo has read as it was meant, and with the file that the form asks for: a phone without it may not
    open the form.
    """
    _check(client, project.uid, project.draft, content)
    if not find_media(client.connection, project.uid, LIST_FILE):
        put_media(client.connection, project.uid, LIST_FILE, empty_list())
    done = deployment.deploy(client.connection, project.uid, version_id=project.version_id)
    _check(client, project.uid, client.version_content(project.uid, done.deployed_version_id), content)
    return done


def _check(client: KoboClient, uid: str, found: Mapping[str, Any], meant: Mapping[str, Any]) -> None:
    differences = compare_forms(meant, found)
    if differences:
        what = f"{differences[0].kind} {differences[0].path}"
        raise KoboRejected("content_differs", host=client.host, asset_uid=uid, what=what, count=len(differences))


def _share(client: KoboClient, done: Deployment, share: Sequence[str]) -> Deployment:
    """The right to send forms, one by one, to those who have not got it."""
    if not share:
        return done
    project = deployment.read_project(client.connection, done.asset_uid)
    have = {user for user, right in project.rights if right == ADD_SUBMISSIONS} | {project.owner}
    wanted = [user for user in dict.fromkeys(share) if user not in have]
    for user in wanted:
        deployment.grant(client.connection, project.uid, user)
    after = deployment.read_project(client.connection, done.asset_uid).rights
    if missing := [user for user in wanted if (user, ADD_SUBMISSIONS) not in after]:
        raise KoboRejected("no_account", host=client.host, username=", ".join(missing))
    return replace(done, shared=tuple(wanted))


def _make_workbook(form: XlsForm) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{form.kind}.xlsx"
        write_xlsx(form, path)
        return path.read_bytes()
