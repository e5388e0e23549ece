"""`manage.py deploy_form`: create or renew a shipped form on a KoboToolbox server, and connect it to a round."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from assessments.enums import RoundStatus
from assessments.kobo.client import KoboClient
from assessments.kobo.errors import KoboError
from assessments.kobo.form_diff import Touch
from assessments.kobo.forms import KINDS, form_version, read_mapping
from assessments.messages import kobo_message
from assessments.models import AssessmentRound, AssignmentList, KoboForm
from assessments.services.assignment_lists import publish_assignment_list
from assessments.services.kobo_connection import connect_form, server_address
from assessments.services.kobo_deployment import BreakingChange, Deployment, deploy_form
from dtm_ops.common.command import JsonCommand, read_token
from dtm_ops.common.errors import Refused
from training.models import FormKind


class Command(JsonCommand):
    help = "Create and deploy a shipped form on a KoboToolbox server, or bring its project up to date."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--kind", required=True, choices=KINDS, help="which of the shipped forms")
        parser.add_argument("--url", required=True, help="address of the server, like https://eu.kobotoolbox.org")
        parser.add_argument("--token-file", required=True, type=Path, help="file that holds the API token alone")
        parser.add_argument("--round", dest="round_code", help="code of the round: its own project, connected to it")
        parser.add_argument("--asset", default="", help="uid of the project, where its name does not tell")
        parser.add_argument("--share", nargs="+", default=[], metavar="USER", help="Kobo accounts that may send forms")
        parser.add_argument("--accept-changes", action="store_true", help="also deploy what breaks the mapping")
        parser.add_argument("--dry-run", action="store_true", help="only say what would change")

    def handle(self, *args: Any, **options: Any) -> None:
        found = _find_round(options["round_code"])
        token = read_token(options["token_file"])
        connected, published = None, None
        try:
            with KoboClient(options["url"], token) as client:
                done = deploy_form(
                    client,
                    options["kind"],
                    base_url=options["url"],
                    assessment_round=found,
                    asset_uid=options["asset"],
                    share=options["share"],
                    accept_changes=options["accept_changes"],
                    dry_run=options["dry_run"],
                )
                if found is not None and not options["dry_run"]:
                    connected = self._connect(client, found, done, token=token, options=options)
                    if found.status == RoundStatus.OPEN:
                        published = publish_assignment_list(connected, client)
        except KoboError as error:
            raise CommandError(kobo_message(error.code, error.params)) from None
        except BreakingChange as refused:
            self._list(refused.deployment.touches)
            raise CommandError(f"{refused} --accept-changes deploys it all the same.") from None
        except Refused as refused:
            raise CommandError(str(refused)) from None
        if options["json"]:
            self.answer(_describe(done, connected, published))
        self._tell(done, published, is_dry=options["dry_run"])

    def _connect(
        self, client: KoboClient, found: AssessmentRound, done: Deployment, *, token: str, options: dict[str, Any]
    ) -> KoboForm:
        """A form that is connected keeps its mapping, which somebody may have mended; the token is renewed."""
        kind = FormKind.objects.filter(code=options["kind"]).first()
        if kind is None:
            raise CommandError(f"No form kind has the code {options['kind']}: load the vocabulary first.")
        shipped: Any = read_mapping(kind.code)
        address = server_address(options["url"])
        known = KoboForm.objects.filter(server__base_url=address, asset_uid=done.asset_uid).first()
        if known is not None and known.mapping != shipped:
            self.say("The connected form keeps its own mapping, which is not the shipped one.")
        made = connect_form(
            client,
            base_url=options["url"],
            token=token,
            asset_uid=done.asset_uid,
            form_kind=kind,
            assessment_round=found,
            mapping=known.mapping if known else shipped,
            major_version=form_version(kind.code),
        )
        self.say(f"{'Connected' if made.created else 'Connected again'}: {made.form}")
        return made.form

    def _list(self, touches: tuple[Touch, ...]) -> None:
        for touch in touches:
            change = touch.change
            was = f": {change.old!r} -> {change.new!r}" if change.old or change.new else ""
            rests = f" [{', '.join(touch.areas)}: {', '.join(touch.places)}]" if touch.places else ""
            self.say(f"  {'BREAKS ' if touch.is_breaking else ''}{change.kind} {change.path}{was}{rests}")

    def _tell(self, done: Deployment, published: AssignmentList | None, *, is_dry: bool) -> None:
        self._list(done.touches)
        if is_dry:
            self.say("Nothing was sent." if done.asset_uid else f"Would create the project {done.name}.")
        elif done.created:
            self.say(f"Created and deployed: {done.name} ({done.asset_uid})")
        else:
            self.say(f"{'Deployed' if done.deployed else 'Nothing to send'}: {done.name} ({done.asset_uid})")
        for user in done.shared:
            self.say(f"  {user} may send forms now.")
        if published is not None and published.error_code:
            self.say(f"  The list of focus groups: {kobo_message(published.error_code, published.error_params)}")
        elif published is not None:
            self.say(f"  Focus groups on phones: {published.lines}")


def _find_round(code: str | None) -> AssessmentRound | None:
    if not code:
        return None
    found = AssessmentRound.objects.filter(code=code).first()
    if found is None:
        raise CommandError(f"No round has the code {code}.")
    return found


def _describe(done: Deployment, form: KoboForm | None, published: AssignmentList | None) -> dict[str, Any]:
    return {
        "asset": done.asset_uid,
        "name": done.name,
        "version": done.version_id,
        "created": done.created,
        "sent": done.sent,
        "deployed": done.deployed,
        "connected": form is not None,
        "shared": list(done.shared),
        "changes": [
            {
                "kind": touch.change.kind,
                "path": touch.change.path,
                "old": touch.change.old,
                "new": touch.change.new,
                "places": list(touch.places),
                "areas": list(touch.areas),
                "breaking": touch.is_breaking,
            }
            for touch in done.touches
        ],
        "list": published and {"lines": published.lines, "error": published.error_code or None},
    }
