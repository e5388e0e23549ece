"""Whatever people do at Kobo while we read, and whatever goes wrong on the way: once they rest, our copy is Kobo's.

Each seed is a story of its own: dozens of operations between runs and between the answers to one run, faults, runs that
are stopped or killed, Kobo's clock leaping. ``CHAOS_SEEDS`` says how many are told: 40 unless it does, which is what
every build can wait for; 200 are the proof. A story that fails prints itself; it is told again by its number:

    CHAOS_SEEDS=200 python -m pytest tests/assessments/services/test_kobo_chaos.py -k seed_137_

Three of four are told in step (pages are not fetched ahead), so that they are the same each time; the fourth with the
threads that a real run has.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
import requests
from django.db import connection
from django.db.models import Count, F, Max, Q

from assessments.kobo.client import KoboClient
from assessments.kobo.errors import KoboUnavailable
from assessments.kobo.payloads import read_attachments
from assessments.kobo.practice.app import Application
from assessments.kobo.practice.exchange import Request, Response
from assessments.kobo.practice.faults import KINDS
from assessments.kobo.practice.server import PracticeServer
from assessments.kobo.practice.state import PracticeKobo
from assessments.kobo.practice.submissions import raise_last_id
from assessments.models import KoboForm, KoboSubmission, QualityFlag, SubmissionAttachment, SyncRun
from assessments.services.kobo_sync import ask_to_stop, release_deletions, sync_form
from dtm_ops.accounts.models import User
from locations.models import AdminUnit
from tests.practice import ACCOUNT, ASSET, our_copy

pytestmark = pytest.mark.django_db

SEEDS = int(os.environ.get("CHAOS_SEEDS", "40"))
ROUNDS = 4
FIRST_ID = 1_000
STATUSES = ("validation_status_approved", "validation_status_not_approved", "validation_status_on_hold")
# Each changes outside edits: it is compared by itself.
APART = ("_validation_status", "_attachments")
PAUSES = (0, 0, 0, 1, 30, 20 * 60, 3 * 3600, 30 * 3600)
ODD_ANSWERS: tuple[dict[str, Any], ...] = (
    {"total": "many"},
    {"total": "-1"},
    {"total": "9" * 40},
    {"villages": "two"},
    {"villages": [{"villages/code": "999999999", "villages/number": "3"}]},
    {"villages": [{}]},
    {"who": "a\x00b"},
    {"who": "😀 Әйгерім" * 50},
    {"who": "x" * 20_000},
    {"day": "yesterday"},
    {"day": "0001-01-01"},
    {"code": ["K7", 4]},
    {"place": None, "who": None},
    {"start": "2022-13-45", "end": "2022-11-20T25:00:00.000+06:00", "deviceid": "d" * 400},
)
# What no form can send and servers list all the same: a text of a row's body, and what it becomes.
MANGLED = (
    ("HERE", "half a smile \\ud83d"),
    ('"_attachments":[]', '"_attachments":"none"'),
    ('"_attachments":[]', '"_attachments":[7,{"filename":null},{"filename":"a/b.jpg","uid":5}]'),
    ('"_status":"submitted_via_web",', ""),
    ('"_submission_time":"', '"_submission_time":"soon '),
    ('"meta/rootUuid":"', '"meta/rootUuid":7,"other":"'),
    ('"_submitted_by":"e01"', '"_submitted_by":["e01"]'),
)


class People:
    """Everybody who works at Kobo. Draws what they do next; ``story`` tells what it was."""

    def __init__(self, kobo: PracticeKobo, draw: Random, *, place: str) -> None:
        self.kobo, self.draw, self.place = kobo, draw, place
        self.now = datetime(2022, 11, 20, 6, tzinfo=UTC)
        self.base_url, self.token = "", ""
        self.deleted: list[str] = []
        # Kobo would write them anew, whole, with each file.
        self.mangled: set[int] = {0}
        self.story: list[str] = []
        self.acting = threading.Lock()

    def act(self) -> None:
        with self.acting:
            what = self.draw.choices(list(ACTS), list(ACTS.values()))[0]
            self.story.append(what.__name__)
            what(self)
            self.now += timedelta(seconds=self.draw.choice(PAUSES))

    # What they choose from

    def uuid(self) -> str:
        return str(UUID(int=self.draw.getrandbits(128)))

    def ids(self, where: str = "hidden = 0") -> list[int]:
        with self.kobo.database.reading() as db:
            rows = db.execute(f"SELECT kobo_id FROM submission s WHERE {where} ORDER BY kobo_id")  # noqa: S608
            return [row["kobo_id"] for row in rows]

    @property
    def whole(self) -> str:
        return f"ghost = 0 AND hidden = 0 AND s.kobo_id NOT IN ({', '.join(map(str, sorted(self.mangled)))})"

    def some(self, where: str = "hidden = 0", *, most: int = 1) -> list[int]:
        ids = self.ids(where)
        return self.draw.sample(ids, min(len(ids), self.draw.randint(1, most)))

    def answers(self) -> dict[str, Any]:
        women, men = self.draw.randint(0, 9), self.draw.randint(0, 9)
        who = self.draw.choice(["E01", "", "HERE", "nobody"])
        plain = {"place": self.place, "day": "2022-11-20", "who": who, "total": str(women + men)}
        odd = self.draw.choice(ODD_ANSWERS) if self.draw.random() < 0.25 else {}
        answers = plain | {"men": str(men), "women": str(women), "photo": "one.jpg"} | odd
        return {key: value for key, value in answers.items() if value is not None}

    def send(self, **fields: Any) -> int:
        return self.kobo.submit(ASSET, self.answers(), submitted_by="e01", **({"uuid": self.uuid()} | fields))

    def ask(self, method: str, path: str, payload: dict[str, Any] | None = None) -> requests.Response:
        """By Kobo's own interface, as another client would."""
        answer = requests.request(
            method, f"{self.base_url}/api/v2/assets/{ASSET}/{path}", json=payload and {"payload": payload}, timeout=20,
            headers={"Authorization": f"Token {self.token}", "User-Agent": "somebody"},
        )  # fmt: skip
        assert answer.status_code in (200, 204), answer.text
        return answer

    # What they do

    def submit(self) -> None:
        for _unused in range(self.draw.randint(1, 3)):
            self.send()

    def submit_with_a_file(self) -> None:
        self.send(attachments=[("one.jpg", "image/jpeg", b"one")])

    def submit_dated_back(self) -> None:
        self.send(submission_time=self.now - timedelta(days=self.draw.randint(1, 400)))

    def submit_mangled(self) -> None:
        kobo_id = self.send()
        self.mangled.add(kobo_id)
        old, new = self.draw.choice(MANGLED)
        with self.kobo.database.writing() as db:
            db.execute("UPDATE submission SET body = replace(body, ?, ?) WHERE kobo_id = ?", (old, new, kobo_id))

    def submit_late(self) -> None:
        """It has its id and its time, and is not listed yet."""
        taken = self.ids("1 = 1")
        free = sorted(set(range(FIRST_ID, max(taken, default=FIRST_ID) + 1)) - set(taken))
        lower = {"kobo_id": self.draw.choice(free)} if free and self.draw.random() < 0.5 else {}
        self.send(hidden=self.draw.random() < 0.7, **lower)

    def show(self) -> None:
        for kobo_id in self.some("hidden = 1", most=3):
            self.kobo.show(kobo_id)

    def hide(self) -> None:
        for kobo_id in self.some():
            self.kobo.hide(kobo_id)

    def edit(self) -> None:
        for kobo_id in self.some("ghost = 0", most=3):
            self.kobo.edit(kobo_id, self.answers(), uuid=self.uuid(), by="e02")

    def edit_twice(self) -> None:
        for kobo_id in self.some("ghost = 0"):
            for _unused in range(2):
                self.kobo.edit(kobo_id, self.answers(), uuid=self.uuid(), replace=True)

    def edit_in_bulk(self) -> None:
        if ids := self.some("ghost = 0 AND hidden = 0", most=4):
            data = {"who": self.draw.choice(["E01", "E02"])}
            self.ask("PATCH", "data/bulk/", {"submission_ids": [*ids, 999_999_999], "data": data})

    def delete(self) -> None:
        for kobo_id in self.some(most=2):
            self.deleted.append(self.kobo.row(kobo_id)["_uuid"])
            self.kobo.delete(kobo_id)

    def delete_in_bulk(self) -> None:
        if ids := self.some("ghost = 0 AND hidden = 0", most=4):
            self.ask("DELETE", "data/bulk/", {"submission_ids": ids})

    def post_again(self) -> None:
        """A phone sends once more what was deleted: the old uuid, another id."""
        if self.deleted:
            self.send(uuid=self.draw.choice(self.deleted))

    def give_the_id_away_again(self) -> None:
        """The server was restored from a backup: the same id, another form."""
        for kobo_id in self.some():
            self.kobo.delete(kobo_id)
            self.send(kobo_id=kobo_id)

    def judge(self) -> None:
        for kobo_id in self.some(most=3):
            self.kobo.set_validation(kobo_id, self.draw.choice([*STATUSES, None]), by=self.draw.choice(["a", "b"]))

    def judge_in_bulk(self) -> None:
        if ids := self.some("ghost = 0 AND hidden = 0", most=4):
            wanted = self.draw.choice([*STATUSES, "approved", None])
            method = "PATCH" if wanted else "DELETE"
            path = "data/validation_statuses/"
            self.ask(method, path, {"submission_ids": ids, "validation_status.uid": wanted})

    def leave_a_ghost(self) -> None:
        for kobo_id in self.some("ghost = 0 AND hidden = 0"):
            self.kobo.add_ghost(kobo_id)

    def attach(self) -> None:
        without = "kobo_id NOT IN (SELECT kobo_id FROM attachment WHERE deleted = 0)"
        for kobo_id in self.some(f"{self.whole} AND {without}", most=2):
            self.kobo.attach(kobo_id, [("one.jpg", "image/jpeg", b"late")])

    def delete_a_file(self) -> None:
        with self.kobo.database.reading() as db:
            rows = db.execute(
                "SELECT a.uid FROM attachment a JOIN submission s ON s.kobo_id = a.kobo_id"  # noqa: S608
                f" WHERE a.deleted = 0 AND {self.whole} ORDER BY a.rowid"
            ).fetchall()
        if rows:
            self.ask("DELETE", f"attachments/{self.draw.choice(rows)['uid']}/")


ACTS: dict[Callable[[People], None], int] = {
    People.submit: 6, People.submit_with_a_file: 3, People.submit_dated_back: 1, People.submit_mangled: 2,
    People.submit_late: 3, People.show: 3, People.hide: 1, People.edit: 5, People.edit_twice: 1,
    People.edit_in_bulk: 2, People.delete: 2, People.delete_in_bulk: 1, People.post_again: 2,
    People.give_the_id_away_again: 1, People.judge: 3, People.judge_in_bulk: 2, People.leave_a_ghost: 1,
    People.attach: 2, People.delete_a_file: 2,
}  # fmt: skip


class BusyKobo(Application):
    """People act before and after an answer to us, as often as ``traffic`` says."""

    def __init__(self, kobo: PracticeKobo, people: People) -> None:
        super().__init__(kobo)
        self.people, self.traffic, self.most = people, 0.0, 0

    def answer(self, request: Request) -> Response:
        if request.header("User-Agent") != "dtm-ops":
            return super().answer(request)
        self._let_act()
        response = super().answer(request)
        self._let_act()
        return response

    def _let_act(self) -> None:
        if self.most > 0 and self.people.draw.random() < self.traffic:
            self.most -= 1
            self.people.act()


@contextmanager
def open_kobo(kobo: PracticeKobo, people: People) -> Iterator[BusyKobo]:
    busy = BusyKobo(kobo, people)
    with PracticeServer(("127.0.0.1", 0), busy) as server:
        people.base_url = server.base_url
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield busy
        finally:
            server.shutdown()
            thread.join()


class Story:
    """One seed: people, a bad line, and our runs in between."""

    def __init__(self, form: KoboForm, busy: BusyKobo, draw: Random, *, stopper: User) -> None:
        self.form, self.busy, self.people, self.draw, self.stopper = form, busy, busy.people, draw, stopper

    def tell(self) -> None:
        for _unused in range(ROUNDS):
            for _again in range(self.draw.randint(0, 6)):
                self.people.act()
            self._run_in_trouble()

    def _run_in_trouble(self) -> None:
        self.busy.traffic, self.busy.most = self.draw.choice([0, 0.1, 0.4, 0.8]), 12
        if self.draw.random() < 0.4:
            kind = self.draw.choice(KINDS)
            times, skip = self.draw.choice([1, 2, 30]), self.draw.randint(0, 8)
            self.busy.kobo.misbehave(kind, times=times, skip=skip, retry_after=0, seconds=0.01)
            self.people.story.append(f"-- {kind} {times} times after {skip}")
        kind = self.draw.choice(["quick", "quick", "sweep", "full"])
        wanted = self.draw.sample(range(FIRST_ID, FIRST_ID + 60), self.draw.randint(0, 4))
        try:
            self.run(kind, on_page=self._may_end, wanted=wanted)
        except (KoboUnavailable, KeyboardInterrupt) as error:
            self.people.story.append(f"-- ended by {error!r}")
        finally:
            self.busy.kobo.behave()
            self.busy.traffic = 0.0

    def run(self, kind: str, **options: Any) -> SyncRun:
        self.people.story.append(f"-- {kind} run")
        self.form.refresh_from_db()
        page_size = self.draw.choice([2, 3, 5, 1000])
        client = KoboClient(self.people.base_url, self.people.token, retries=2, backoff=0.001, read_timeout=20)
        with client:
            run = sync_form(
                self.form, client=client, trigger="command", full=kind == "full", quick=kind == "quick",
                page_size=page_size, **options,
            )  # fmt: skip
        self.people.story.append(f"-- {run.outcome} {run.error_code} {run.error_params}")
        return run

    def _may_end(self, run: SyncRun) -> None:
        chance = self.draw.random()
        if chance < 0.02:
            raise KeyboardInterrupt
        if chance < 0.04:
            ask_to_stop(run, by=self.stopper)

    def end(self) -> SyncRun:
        """Everybody rests: one sweep is enough, or the one after a person has let many deletions through."""
        run = self.run("sweep")
        if run.error_code == "rows_gone":
            release_deletions(self.form, by=self.stopper)
            run = self.run("sweep")
        return run


@pytest.fixture
def draw(seed: int) -> Random:
    return Random(seed)


@pytest.fixture
def people(kobo: PracticeKobo, draw: Random, village: AdminUnit) -> People:
    everybody = People(kobo, draw, place=village.unit_id)
    everybody.token = kobo.create_user(ACCOUNT)
    kobo.clock = lambda: everybody.now
    with kobo.database.writing() as db:
        raise_last_id(db, FIRST_ID)
    return everybody


@pytest.fixture
def busy(kobo: PracticeKobo, people: People) -> Iterator[BusyKobo]:
    with open_kobo(kobo, people) as opened:
        yield opened


@pytest.fixture
def kobo_url(people: People, busy: BusyKobo) -> str:
    return people.base_url


def in_step(pages: Iterator[Any], depth: int = 1) -> Iterator[Any]:
    yield from pages


def told_apart(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in APART}


def rows_at_kobo(people: People) -> dict[int, dict[str, Any]]:
    """As another client is told."""
    listed = people.ask("GET", "data/?limit=1000").json()
    assert len(listed["results"]) == listed["count"]
    return {row["_id"]: row for row in listed["results"]}


def content_here(form: KoboForm) -> dict[int, dict[str, Any]]:
    return {kobo_id: told_apart(row) | {"_uuid": uuid} for kobo_id, (uuid, _root, row) in our_copy(form).items()}


def content_at_kobo(rows: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {kobo_id: told_apart(row) for kobo_id, row in rows.items()}


def different(ours: dict[int, Any], theirs: dict[int, Any]) -> dict[int, tuple[Any, Any]]:
    """By Kobo id what we have and what Kobo has; of contents what the other has not."""
    return {
        kobo_id: (_beside(ours.get(kobo_id), theirs.get(kobo_id)), _beside(theirs.get(kobo_id), ours.get(kobo_id)))
        for kobo_id in sorted(ours.keys() | theirs.keys())
        if ours.get(kobo_id) != theirs.get(kobo_id)
    }


def _beside(one: Any, other: Any) -> Any:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return one
    return {key: value for key, value in one.items() if key not in other or other[key] != value}


def statuses_here(form: KoboForm) -> dict[int, tuple[Any, ...]]:
    rows = KoboSubmission.objects.filter(form=form).present().exclude(kobo_status="")
    return {
        row.kobo_id: (row.kobo_status, row.kobo_status_by, row.kobo_status_at and int(row.kobo_status_at.timestamp()))
        for row in rows
    }


def statuses_at_kobo(rows: dict[int, dict[str, Any]]) -> dict[int, tuple[Any, ...]]:
    told = {kobo_id: row["_validation_status"] for kobo_id, row in rows.items()}
    return {
        kobo_id: (status["uid"], status["by_whom"], status["timestamp"]) for kobo_id, status in told.items() if status
    }


def files_here(form: KoboForm) -> dict[int, set[tuple[str, str, str]]]:
    found: dict[int, set[tuple[str, str, str]]] = {}
    listed = SubmissionAttachment.objects.filter(submission__form=form, submission__deleted_at=None, gone_at=None)
    for kobo_id, *file in listed.values_list("submission__kobo_id", "xpath", "name", "uid"):
        found.setdefault(kobo_id, set()).add(tuple(file))
    return found


def files_at_kobo(rows: dict[int, dict[str, Any]]) -> dict[int, set[tuple[str, str, str]]]:
    told = {kobo_id: read_attachments(row["_attachments"]) for kobo_id, row in rows.items()}
    there = {
        kobo_id: {(one.xpath, one.name, one.uid) for one in files if one.name and not one.is_deleted}
        for kobo_id, files in told.items()
    }
    return {kobo_id: files for kobo_id, files in there.items() if files}


def twins_without_a_flag(form: KoboForm) -> list[int]:
    rows = KoboSubmission.objects.filter(form=form, is_refused=False).present().exclude(root_uuid="")
    roots = Counter(rows.values_list("root_uuid", flat=True))
    twins = rows.filter(root_uuid__in=[root for root, times in roots.items() if times > 1])
    flagged = QualityFlag.objects.filter(check_code="listed_twice_at_kobo").values("revision")
    return list(twins.exclude(current_revision__in=flagged).values_list("kobo_id", flat=True))


def broken_histories(form: KoboForm) -> list[int]:
    """Of submissions whose contents are not numbered from 1 on, or whose present one is not the last."""
    numbered = KoboSubmission.objects.filter(form=form).annotate(n=Count("revisions"), top=Max("revisions__number"))
    return list(
        numbered.exclude(n=F("top"), current_revision__number=F("top")).values_list("kobo_id", flat=True)
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(SEEDS), ids="seed_{}_".format)
def test_after_chaos_our_copy_is_kobos(
    seed: int,
    form: KoboForm,
    busy: BusyKobo,
    draw: Random,
    administrator: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if seed % 4:
        monkeypatch.setattr("assessments.services.kobo_passes.prefetch", in_step)
    story = Story(form, busy, draw, stopper=administrator)
    try:
        story.tell()
        last = story.end()
        rows = rows_at_kobo(busy.people)
        assert (last.outcome, last.at_kobo, last.here) == ("closed", len(rows), len(rows))
        assert different(content_here(form), content_at_kobo(rows)) == {}
        assert different(statuses_here(form), statuses_at_kobo(rows)) == {}
        assert (twins_without_a_flag(form), broken_histories(form)) == ([], [])

        again = story.run("full")
        assert (again.outcome, again.new, again.edited, again.deleted) == ("closed", 0, 0, 0)
        assert different(files_here(form), files_at_kobo(rows)) == {}
        assert not SyncRun.objects.filter(Q(outcome="running") | Q(error_code="internal")).exists()
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except Exception as error:
        error.add_note("\n".join(story.people.story))
        raise
