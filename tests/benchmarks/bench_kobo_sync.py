"""The sync of 100,000 submissions against what nobody can do without: downloading, writing, sweeping ids.

The practice Kobo serves from a process of its own, at a real server's pace (0.27 s for 1,000 rows, 0.10 s for their
ids; measured, kobo_recordings/15_paging_large) or as fast as it can. Promises: design.md, section 10.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connection

from assessments.kobo.client import KoboClient
from assessments.kobo.practice.state import PracticeKobo
from assessments.models import KoboForm, SyncRun
from assessments.services.assignments import assign_enumerator
from assessments.services.focus_groups import plan_focus_group
from assessments.services.kobo_passes import ID_FIELDS
from assessments.services.kobo_sync import sync_form
from assessments.services.vocabulary import load_vocabulary
from tests.benchmarks.comparison import Comparison
from tests.factories.assessments import AssessmentRoundFactory, KoboFormFactory, KoboServerFactory, RoundTargetFactory
from tests.factories.locations import AdminUnitFactory
from tests.factories.training import CertificateFactory, EnumeratorFactory
from training.models import FormKind

# Fewer rows give a first look in a minute: ``BENCH_ROWS=20000``.
ROWS = int(os.environ.get("BENCH_ROWS", "100000"))
FEW_ROWS, EDITS = ROWS // 10, 1_000
PACE, IDS_PACE = 0.27, 0.10
PLACES, PEOPLE = 200, 20
ACCOUNT = "bench"
NATIONALITIES, YEARS = ("UZ", "RU", "TJ", "KG", "other"), ("2020", "2021", "2022")
REASONS, TYPES = ("economic", "sanctions", "conflict", "mobilization", "covid"), ("seasonal", "long_term", "other")
PARTS = {"sex": ("male", "female"), "nationality": NATIONALITIES, "arrival_year": YEARS, "reason": REASONS,
         "migration_type": TYPES}  # fmt: skip
MAPPING = {
    "schema": 1,
    "head": {"focus_group": ["head/code"], "enumerator": ["head/who"], "unit": ["head/place"], "date": ["head/day"]},
    "dont_know": ["dk"],
    "figures": [
        {"indicator": "present", "path": ["people/total"]},
        *(
            {"indicator": indicator, "category": part, "path": [f"profile/{indicator}_{part}"]}
            for indicator, parts in PARTS.items()
            for part in parts
        ),
        {"indicator": "present", "repeat": ["villages"], "unit": ["villages/code"], "value": ["villages/number"]},
    ],
}


class World:
    """A round with places, people and focus groups, its form, and a practice Kobo with submissions."""

    def __init__(self, folder: Path) -> None:
        self.state = PracticeKobo(folder / "kobo.sqlite3")
        self.server = _serve(folder / "kobo.sqlite3")
        self.url = _read_address(self.server)
        load_vocabulary()
        kind = FormKind.objects.get(code="baseline_area")
        self.round = AssessmentRoundFactory(code="BENCH")
        self.units = [AdminUnitFactory() for _unused in range(PLACES)]
        started = datetime(2022, 11, 14, 4, tzinfo=UTC)
        self.people = [EnumeratorFactory(home_unit=self.units[0]) for _unused in range(PEOPLE)]
        for person in self.people:
            CertificateFactory(enumerator=person, form_kind=kind, issued_on=date(2022, 11, 11))
        self.codes = []
        for number, unit in enumerate(self.units):
            target = RoundTargetFactory(round=self.round, unit=unit, form_kind=kind)
            starts_at = started + timedelta(hours=number)
            group = plan_focus_group(target, starts_at=starts_at, ends_at=starts_at + timedelta(hours=1))
            assign_enumerator(group, self.people[number % PEOPLE])
            self.codes.append(group.code)
        self.token = self.state.create_user(ACCOUNT)
        server = KoboServerFactory(base_url=self.url, token=self.token)
        self.form, self.small_form = (
            KoboFormFactory(server=server, asset_uid=uid, round=self.round, form_kind=kind, mapping=MAPPING)
            for uid in ("aBench", "aSmall")
        )
        self._fill("aBench", ROWS)
        self._fill("aSmall", FEW_ROWS)
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE bench_raw (kobo_id bigint PRIMARY KEY, uuid text, raw text)")

    def _fill(self, asset_uid: str, rows: int) -> None:
        self.state.create_asset(asset_uid, asset_uid, ACCOUNT, {"survey": []})
        dice = random.Random(asset_uid)
        for start in range(0, rows, 5_000):
            batch = [
                {"answers": self._answers(dice), "submitted_by": "e01"} for _unused in range(min(5_000, rows - start))
            ]
            self.state.submit_many(asset_uid, batch)

    def _answers(self, dice: random.Random) -> dict[str, Any]:
        """A form of 26 questions with 0 to 6 villages, about 2 kB; one in ten does not add up."""
        number = dice.randrange(PLACES)
        elsewhere = self.units[:number] + self.units[number + 1 :]
        villages = {unit.unit_id: dice.randrange(20) for unit in dice.sample(elsewhere, dice.randrange(7))}
        answers: dict[str, Any] = {
            "start": "2022-11-20T09:00:00.000+06:00",
            "end": "2022-11-20T10:30:00.000+06:00",
            "head/place": self.units[number].unit_id,
            "head/who": self.people[number % PEOPLE].code,
            "head/day": "2022-11-20",
            "people/total": str(900 + sum(villages.values()) + (dice.random() < 0.1)),
            "villages": [
                {"villages/code": unit_id, "villages/number": str(number)} for unit_id, number in villages.items()
            ],
            "close/comment": "Ауыл әкімдігінің мәліметтері бойынша " * dice.randrange(8),
        }
        if dice.random() < 0.5:
            answers["head/code"] = self.codes[number]
        for indicator, parts in PARTS.items():
            # Reasons and types are asked about one year's arrivals: a third of all.
            base = 300 if indicator in ("reason", "migration_type") else 900
            for part in parts:
                answers[f"profile/{indicator}_{part}"] = str(base // len(parts))
        return answers

    def close(self) -> None:
        self.server.terminate()
        self.server.wait(10)
        self.state.close()

    @contextmanager
    def client(self) -> Iterator[KoboClient]:
        with KoboClient(self.url, self.token) as client:
            yield client

    def sync(self, form: KoboForm | None = None) -> None:
        with self.client() as client:
            run = sync_form(form or self.form, client=client, trigger="command")
        if not run.closed:
            raise RuntimeError(f"the run did not close: {run.error_code}")

    def download(self, *, fields: tuple[str, ...] | None = None) -> None:
        with self.client() as client:
            for _page in client.iter_pages(self.form.asset_uid, fields=fields):
                pass

    def edit_some(self) -> None:
        """Somebody corrects a thousand forms in a row, spread over the project."""
        ids = self.state.ids(self.form.asset_uid)
        for kobo_id in ids[:: max(1, len(ids) // EDITS)][:EDITS]:
            self.state.edit(kobo_id, {"close/comment": f"corrected {random.random()}"})

    def sweep_ids(self) -> None:
        self.download(fields=ID_FIELDS)

    def copy_pages(self) -> None:
        """Download and upsert by COPY, with nothing read, checked, matched or counted."""
        with self.client() as client, connection.cursor() as cursor:
            for page in client.iter_pages(self.form.asset_uid):
                cursor.execute("CREATE TEMP TABLE IF NOT EXISTS fresh (kobo_id bigint, uuid text, raw text)")
                with cursor.copy("COPY fresh FROM STDIN") as copy:
                    for row in page.rows:
                        copy.write_row((row["_id"], row["_uuid"], json.dumps(row, ensure_ascii=False)))
                cursor.execute(
                    "INSERT INTO bench_raw SELECT * FROM fresh ON CONFLICT (kobo_id) "
                    "DO UPDATE SET uuid = excluded.uuid, raw = excluded.raw"
                )
                cursor.execute("TRUNCATE fresh")

    def forget(self) -> None:
        SyncRun.objects.all().delete()
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE bench_raw, assessments_kobosubmission, assessments_submissionrevision CASCADE")

    def paced(self, *, pace: float, ids_pace: float) -> None:
        self.state.pace(pace, ids_seconds_per_1000_rows=ids_pace)


def _serve(state: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "assessments.kobo.practice", "--state", str(state), "--port", "0"]
    root = Path(__file__).resolve().parent.parent.parent
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        words, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def _read_address(server: subprocess.Popen[str]) -> str:
    """``Practice Kobo at http://127.0.0.1:40001/``, once the port is open."""
    for line in server.stderr or ():
        if " at http" in line:
            return line.rpartition(" at ")[2].strip().rstrip("/")
    raise RuntimeError("the practice Kobo did not start")


def bench_sync() -> list[Comparison]:
    folder = tempfile.TemporaryDirectory(prefix="dtm-bench-")
    world = World(Path(folder.name))

    def fresh(pace: float = 0, ids_pace: float = 0) -> None:
        world.paced(pace=pace, ids_pace=ids_pace)
        world.forget()

    def synced(pace: float = 0, ids_pace: float = 0) -> None:
        world.paced(pace=0, ids_pace=0)
        world.sync()
        world.paced(pace=pace, ids_pace=ids_pace)

    def close() -> None:
        world.close()
        folder.cleanup()

    def at_pace() -> None:
        fresh(PACE, IDS_PACE)

    def unchanged_at_pace() -> None:
        synced(PACE, IDS_PACE)

    def edited() -> None:
        synced()
        world.edit_some()

    once: dict[str, Any] = {"rounds": 3, "warms_up": False}
    first, again = f"first sync of {ROWS:,} rows", f"sync of {ROWS:,} unchanged rows"
    return [
        Comparison(
            f"{first}, real pace / only downloading", world.sync, world.download, 1.3, before_each=at_pace, **once
        ),
        Comparison(
            f"{first}, no pace / only downloading", world.sync, world.download, float("inf"), before_each=fresh, **once
        ),
        Comparison(f"{first}, no pace / download and COPY", world.sync, world.copy_pages, 3, before_each=fresh, **once),
        Comparison(
            f"{first} / {FEW_ROWS:,} rows", world.sync, lambda: world.sync(world.small_form), 12, before_each=fresh,
            **once,
        ),
        Comparison(
            f"{again}, real pace / id sweep", world.sync, world.sweep_ids, 1.5, before_each=unchanged_at_pace, **once
        ),
        Comparison(f"{again}, no pace / id sweep", world.sync, world.sweep_ids, 1.5, before_each=synced, **once),
        Comparison(
            f"sync of {EDITS:,} edits among {ROWS:,} / id sweep", world.sync, world.sweep_ids, 1, slack=5,
            before_each=edited, after_all=close, **once,
        ),
    ]  # fmt: skip
