"""The practice Kobo of the demonstration: its account, its projects, and the way to it while nothing listens yet."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assessments.enums import SyncTrigger
from assessments.kobo.client import KoboClient
from assessments.kobo.forms import form_content, read_mapping
from assessments.kobo.practice.server import running
from assessments.kobo.practice.state import PracticeKobo
from assessments.models import AssessmentRound, KoboForm, KoboServer
from assessments.services.kobo_connection import connect_form
from assessments.services.kobo_sync import sync_form
from assessments.services.status_pushes import send_pushes
from training.models import FormKind

ACCOUNT = "dtm_demo"
NAME = "Practice Kobo"


class DemoKobo:
    """A practice Kobo that is spoken to over HTTP at a port of its own, and known to the product by ``address``."""

    def __init__(self, state: PracticeKobo, *, here: str, address: str) -> None:
        self.state, self.here, self.address = state, here, address
        self.token = state.create_user(ACCOUNT)
        # The port may be another one than at the last start.
        KoboServer.objects.filter(name=NAME).exclude(base_url=address).update(base_url=address)

    def connect(self, asset_uid: str, name: str, *, kind: FormKind, assessment_round: AssessmentRound) -> KoboForm:
        """Create the project at Kobo where it is missing, and connect it."""
        if not self.state.has_asset(asset_uid):
            self.state.create_asset(asset_uid, name, ACCOUNT, form_content(kind.code))
        mapping: Any = read_mapping(kind.code)
        with KoboClient(self.here, self.token) as client:
            made = connect_form(
                client,
                base_url=self.address,
                token=self.token,
                asset_uid=asset_uid,
                form_kind=kind,
                assessment_round=assessment_round,
                mapping=mapping,
            )
        KoboServer.objects.filter(pk=made.form.server_id).update(name=NAME)
        return made.form

    def submit(self, asset_uid: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Send rows once: a project that has submissions gets none again."""
        if not self.state.count(asset_uid):
            self.state.submit_many(asset_uid, rows)

    def sync(self, form: KoboForm) -> None:
        with KoboClient(self.here, self.token) as client:
            sync_form(form, client=client, trigger=SyncTrigger.COMMAND)

    def push(self, form: KoboForm) -> None:
        """What was decided about its rows, so that the practice Kobo shows it from the start."""
        with KoboClient(self.here, self.token) as client:
            send_pushes(form, client=client)


@contextmanager
def demo_kobo(state_file: Path, *, address: str) -> Iterator[DemoKobo]:
    """Serve the practice Kobo's state at a free port for as long as the demonstration is being loaded."""
    state_file.parent.mkdir(parents=True, exist_ok=True)
    state = PracticeKobo(state_file)
    try:
        with running(state) as here:
            yield DemoKobo(state, here=here, address=address)
    finally:
        state.close()
