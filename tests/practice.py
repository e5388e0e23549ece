"""A practice Kobo over HTTP, a form of it that is connected, and the words in which tests speak about a sync."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from assessments.kobo.client import KoboClient
from assessments.kobo.practice.server import running
from assessments.kobo.practice.state import PracticeKobo
from assessments.models import KoboForm, KoboSubmission, RoundTarget, SyncRun
from assessments.services.kobo_sync import sync_form
from locations.models import AdminUnit
from tests.factories.assessments import KoboFormFactory, KoboServerFactory, RoundTargetFactory
from tests.factories.training import TrainingSessionFactory
from training.models import FormKind, TrainedForm, TrainingHalfDay

ASSET = "aSubArea000000000000"
ACCOUNT = "iom_demo"
FIELD_DAY = "2022-11-20"
LEDGER = ("at_kobo", "here", "new", "edited", "unchanged", "refused", "deleted", "unmatched")
CONTENT = {
    "survey": [
        {"type": "text", "name": name, "$xpath": name} for name in ("code", "who", "place", "day", "total", "men")
    ]
}


@pytest.fixture
def kobo(tmp_path: Path) -> Iterator[PracticeKobo]:
    state = PracticeKobo(tmp_path / "kobo.sqlite3")
    yield state
    state.close()


@pytest.fixture
def kobo_url(kobo: PracticeKobo) -> Iterator[str]:
    with running(kobo) as url:
        yield url


@pytest.fixture
def target(village: AdminUnit, sub_area: FormKind) -> RoundTarget:
    return RoundTargetFactory(unit=village, form_kind=sub_area)


@pytest.fixture
def form(kobo: PracticeKobo, kobo_url: str, target: RoundTarget) -> KoboForm:
    """The sub-area form of the round, as a project of the practice Kobo, without submissions."""
    token = kobo.create_user(ACCOUNT)
    kobo.create_asset(ASSET, "Sub-area", ACCOUNT, CONTENT)
    server = KoboServerFactory(base_url=kobo_url, token=token, username=ACCOUNT)
    return KoboFormFactory(server=server, asset_uid=ASSET, round=target.round, form_kind=target.form_kind)


@pytest.fixture
def answer(village: AdminUnit) -> Callable[..., dict[str, Any]]:
    """A form of the village with numbers that add up; blank values leave an answer out."""

    def fill(**answers: Any) -> dict[str, Any]:
        plain = {"place": village.unit_id, "day": FIELD_DAY, "who": "E01", "total": "10", "men": "6", "women": "4"}
        return {key: value for key, value in (plain | answers).items() if value is not None}

    return fill


@pytest.fixture
def submit(kobo: PracticeKobo, form: KoboForm, answer: Callable[..., dict[str, Any]]) -> Callable[..., int]:
    """Somebody sends a form. ``kobo_id``, ``uuid``, ``hidden`` go to Kobo, everything else is an answer."""

    def send(*, kobo_id: int | None = None, uuid: str | None = None, hidden: bool = False, **answers: Any) -> int:
        return kobo.submit(
            form.asset_uid, answer(**answers), submitted_by="e01", kobo_id=kobo_id, uuid=uuid, hidden=hidden
        )

    return send


@pytest.fixture
def training_day(sub_area: FormKind) -> date:
    """A day of a training that covers the form."""
    training = TrainingSessionFactory()
    TrainedForm.objects.create(training_session=training, form_kind=sub_area)
    return TrainingHalfDay.objects.create(training_session=training, day=date(2022, 11, 25), part="am").day


def client_of(form: KoboForm, *, retries: int = 0) -> KoboClient:
    return KoboClient(form.server.base_url, form.server.token, retries=retries, backoff=0.01, read_timeout=3)


def sync(form: KoboForm, *, client: KoboClient | None = None, **options: Any) -> SyncRun:
    form.refresh_from_db()
    with nullcontext(client) if client else client_of(form) as client:
        return sync_form(form, client=client, trigger="command", **options)


def ledger(run: SyncRun) -> dict[str, int]:
    """The numbers of a run, zeros left out."""
    return {name: getattr(run, name) for name in LEDGER if getattr(run, name)}


def last_run(form: KoboForm) -> SyncRun:
    return SyncRun.objects.filter(form=form).order_by("pk").last()


def our_copy(form: KoboForm) -> dict[int, tuple[str, str, dict[str, Any]]]:
    """Of every row that is there: uuid, root uuid, content as received."""
    rows = KoboSubmission.objects.filter(form=form).present().select_related("current_revision")
    return {row.kobo_id: (row.uuid, row.root_uuid, row.current_revision.answers) for row in rows}


def kobos_copy(kobo: PracticeKobo, asset_uid: str) -> dict[int, tuple[str, str, dict[str, Any]]]:
    rows = {kobo_id: kobo.row(kobo_id) for kobo_id in kobo.ids(asset_uid)}
    return {kobo_id: (row["_uuid"], row["meta/rootUuid"].removeprefix("uuid:"), row) for kobo_id, row in rows.items()}


def counts(form: KoboForm) -> tuple[int, int]:
    """Submissions and revisions of the form: what a run that changes nothing leaves alone."""
    submissions = KoboSubmission.objects.filter(form=form)
    return submissions.count(), submissions.filter(revisions__isnull=False).values("revisions").count()
