"""`manage.py connect_kobo`: register a KoboToolbox project for a form kind and a round."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from assessments.kobo.client import KoboClient
from assessments.kobo.errors import KoboError
from assessments.kobo.forms import FOLDER
from assessments.messages import kobo_message
from assessments.models import AssessmentRound
from assessments.services.kobo_connection import connect_form
from dtm_ops.common.command import JsonCommand, read_token
from dtm_ops.common.errors import Refused
from training.models import FormKind


class Command(JsonCommand):
    help = "Connect a KoboToolbox project: checks the token, registers server and form, prints what the form lacks."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--url", required=True, help="address of the server, like https://eu.kobotoolbox.org")
        parser.add_argument("--token-file", required=True, type=Path, help="file that holds the API token alone")
        parser.add_argument("--asset", required=True, help="uid of the project")
        parser.add_argument("--kind", required=True, help="code of the form kind, like baseline_area")
        parser.add_argument("--round", required=True, dest="round_code", help="code of the round, like 2022-Q4")
        parser.add_argument("--mapping", type=Path, help="mapping of a form that is not the project's own (JSON)")
        parser.add_argument("--major-version", type=int, default=1, help="major version of the form")

    def handle(self, *args: Any, **options: Any) -> None:
        kind = FormKind.objects.filter(code=options["kind"]).first()
        if kind is None:
            codes = ", ".join(FormKind.objects.values_list("code", flat=True))
            raise CommandError(f"No form kind has the code {options['kind']}; there are: {codes}.")
        found = AssessmentRound.objects.filter(code=options["round_code"]).first()
        if found is None:
            raise CommandError(f"No round has the code {options['round_code']}.")
        mapping = _read_json(options["mapping"] or FOLDER / kind.code / "mapping.json")
        token = read_token(options["token_file"])
        try:
            with KoboClient(options["url"], token) as client:
                made = connect_form(
                    client,
                    base_url=options["url"],
                    token=token,
                    asset_uid=options["asset"],
                    form_kind=kind,
                    assessment_round=found,
                    mapping=mapping,
                    major_version=options["major_version"],
                )
        except KoboError as error:
            raise CommandError(kobo_message(error.code, error.params)) from None
        except Refused as refused:
            raise CommandError(str(refused)) from None
        if options["json"]:
            self.answer({"asset": made.form.asset_uid, "created": made.created, "missing": list(made.missing)})
        self.say(f"{'Connected' if made.created else 'Connected again'}: {made.form}")
        for path in made.missing:
            self.say(f"  The deployed form has no question {path}: figures from it will be blank.")


def _read_json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise CommandError(f"{file} cannot be read; give the form's own mapping with --mapping.") from None
    except ValueError as error:
        raise CommandError(f"{file} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise CommandError(f"{file} holds no JSON object.")
    return found
