"""`manage.py sync_kobo`: run the sync in this process. Exit 3 where a ledger does not close, 1 where Kobo cannot be
read.
"""

import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from assessments.enums import SyncTrigger
from assessments.kobo.errors import KoboError
from assessments.messages import kobo_message, run_message
from assessments.models import KoboForm, SyncRun
from assessments.services.kobo_connection import open_client
from assessments.services.kobo_sync import sync_form
from dtm_ops.common.command import JsonCommand
from dtm_ops.common.errors import Refused

LEDGER = ("at_kobo", "here", "new", "edited", "deleted", "unchanged", "refused", "unmatched")


class Command(JsonCommand):
    help = "Bring the submissions of all connected forms (or one) up to date, and print the ledger."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--asset", help="only this Kobo project (asset uid)")
        parser.add_argument("--full", action="store_true", help="read every row again, not only ids")

    def handle(self, *args: Any, asset: str | None, full: bool, **options: Any) -> None:
        forms = KoboForm.objects.filter(is_active=True).select_related("server", "round", "form_kind").order_by("pk")
        if asset:
            forms = forms.filter(asset_uid=asset)
            if not forms:
                raise CommandError(f"No connected form has the asset uid {asset}.")
        runs, failed = [], False
        for form in forms:
            run = self._sync(form, full=full)
            failed = failed or run is None
            if run is not None:
                runs.append(run)
        if options["json"]:
            self.answer({"forms": [_ledger(run) for run in runs]})
        if failed:
            raise CommandError("At least one form could not be synchronised; the reasons stand above.")
        if not all(run.closed for run in runs):
            sys.exit(3)

    def _sync(self, form: KoboForm, *, full: bool) -> SyncRun | None:
        try:
            with open_client(form.server) as client:
                run = sync_form(form, client=client, trigger=SyncTrigger.COMMAND, full=full)
        except KoboError as error:
            self.say(f"{form.asset_uid}: {kobo_message(error.code, error.params)}")
            return None
        except Refused as refused:
            self.say(f"{form.asset_uid}: {refused}")
            return None
        numbers = ", ".join(f"{name} {getattr(run, name)}" for name in LEDGER)
        self.say(f"{form.asset_uid} ({form}): {numbers}. {run_message(run)}")
        return run


def _ledger(run: SyncRun) -> dict[str, Any]:
    ledger: dict[str, Any] = {name: getattr(run, name) for name in LEDGER}
    return {"asset": run.form.asset_uid, **ledger, "closed": run.closed}
