"""A sync that is killed with -9 at any of its steps: after the next run everything is as if nobody had killed it.

Hypothesis draws the steps. ``KILL_POINTS=all`` tries each of them once, which takes minutes.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from assessments.kobo.practice.state import PracticeKobo
from assessments.models import KoboForm, KoboFormVersion, KoboSubmission, QualityFlag, SubmissionAttachment, SyncRun
from dtm_ops.common.errors import Refused
from tests.practice import ACCOUNT, CONTENT, kobos_copy, our_copy, sync
from tests.programs import ROOT

pytestmark = pytest.mark.django_db(transaction=True)

PICTURE = ("one.jpg", "image/jpeg", b"one")
KINDS = ("quick", "sweep", "full")
ALL = os.environ.get("KILL_POINTS") == "all"


class Projects:
    """Projects of the practice Kobo with the same history, each new one for another kill."""

    def __init__(self, kobo: PracticeKobo, first: KoboForm, answer: Callable[..., dict[str, Any]]) -> None:
        self.kobo, self.first, self.answer, self.made = kobo, first, answer, 0

    def make(self) -> KoboForm:
        """Synced once, and then everything happens at Kobo that a run has to take over."""
        self.made += 1
        asset = f"aKilled{self.made:013}"
        self.kobo.create_asset(asset, asset, ACCOUNT, CONTENT)
        form = KoboForm.objects.create(
            server=self.first.server, asset_uid=asset, name=asset, form_kind=self.first.form_kind,
            round=self.first.round, mapping=self.first.mapping,
        )  # fmt: skip
        ids = [self._send(asset, total=str(10 + number)) for number in range(10)]
        hidden = self._send(asset, hidden=True)
        ids += [self._send(asset, attachments=[PICTURE], photo="one.jpg"), self._send(asset, place="no such place")]
        assert sync(form).outcome == "closed"
        self.kobo.show(hidden)
        for number in (0, 1):
            self.kobo.edit(ids[number], {"total": str(20 + number)})
        self.kobo.edit(ids[2], {"total": "many"})
        self.kobo.delete(ids[3])
        self.kobo.set_validation(ids[4], "validation_status_on_hold", by="somebody")
        self.kobo.add_ghost(ids[5])
        self.kobo.deploy_version(asset, CONTENT | {"settings": {"version": "2"}})
        for number in range(5):
            self._send(asset, total=str(30 + number), attachments=[PICTURE], photo="one.jpg")
        self._send(asset, total="-1")
        return form

    def _send(self, asset: str, *, hidden: bool = False, attachments: Any = (), **answers: Any) -> int:
        filled = self.answer(**answers)
        return self.kobo.submit(asset, filled, submitted_by="e01", hidden=hidden, attachments=attachments)


class Runner:
    """`tests.killed_at`, asked line by line."""

    def __init__(self, program: "subprocess.Popen[str]") -> None:
        self.program = program

    def sync(self, form: KoboForm, *, last: int, kind: str) -> str:
        self.program.stdin.write(f"{form.pk} {last} {kind}\n")
        self.program.stdin.flush()
        return self.program.stdout.readline().strip()


@pytest.fixture
def runner() -> Iterator[Runner]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.suite_settings",
        "SUITE_DATABASE": str(connection.settings_dict["NAME"]),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "tests.killed_at"],
        cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as program:  # fmt: skip
        yield Runner(program)
        program.stdin.close()


@pytest.fixture
def projects(kobo: PracticeKobo, form: KoboForm, answer: Callable[..., dict[str, Any]]) -> Projects:
    return Projects(kobo, form, answer)


def sync_by_hand(form: KoboForm, **options: Any) -> SyncRun:
    """PostgreSQL may still be closing the connection of the dead: its lock is free a moment later."""
    for _unused in range(200):
        try:
            return sync(form, **options)
        except Refused:
            time.sleep(0.02)
    return sync(form, **options)


def state_of(form: KoboForm) -> dict[str, Any]:
    """Everything that a run leaves, without the keys that differ from one project to the next."""
    rows = KoboSubmission.objects.filter(form=form).order_by("kobo_id").select_related("current_revision")
    place = {row.kobo_id: number for number, row in enumerate(rows)}
    return {
        "rows": [
            (
                row.is_refused, row.match_state, row.match_problem, row.target_id, row.is_trial, row.day,
                row.kobo_status, row.kobo_status_by, row.deleted_at is not None, row.review_status,
                row.current_revision.number, row.current_revision.fingerprint, row.current_revision.problems,
                row.revisions.count(), row.root_uuid != row.uuid,
            )
            for row in rows
        ],
        "flags": sorted(
            (place[kobo_id], code, severity)
            for kobo_id, code, severity in QualityFlag.objects.filter(revision__submission__form=form).values_list(
                "revision__submission__kobo_id", "check_code", "severity"
            )
        ),
        "files": sorted(
            (place[kobo_id], xpath, name, state, gone is not None)
            for kobo_id, xpath, name, state, gone in SubmissionAttachment.objects.filter(
                submission__form=form
            ).values_list("submission__kobo_id", "xpath", "name", "state", "gone_at")
        ),
        "versions": list(
            KoboFormVersion.objects.filter(form=form, content__isnull=False).order_by("pk").values_list("content")
        ),
    }  # fmt: skip


@pytest.fixture
def unharmed(projects: Projects, runner: Runner) -> dict[str, tuple[int, dict[str, Any]]]:
    """By kind of run: how many steps it makes, and what it leaves."""
    found = {}
    for kind in KINDS:
        form = projects.make()
        found[kind] = (int(runner.sync(form, last=0, kind=kind)), state_of(form))
        assert SyncRun.objects.filter(form=form).latest("pk").outcome == "closed"
    return found


def kill_and_heal(projects: Projects, runner: Runner, kind: str, steps: list[int], expected: dict[str, Any]) -> None:
    form = projects.make()
    for step in steps:
        said = runner.sync(form, last=step, kind=kind)
        assert said == "killed" or said.isdecimal() or "sync_running" in said, said

    run = sync_by_hand(form, quick=kind == "quick", full=kind == "full")

    assert run.outcome == "closed"
    assert our_copy(form).keys() == kobos_copy(projects.kobo, form.asset_uid).keys()
    assert state_of(form) == expected
    outcomes = list(SyncRun.objects.filter(form=form).order_by("pk").values_list("outcome", flat=True))
    assert (outcomes[0], outcomes[-1], set(outcomes[1:-1]) <= {"lost", "closed"}) == ("closed", "closed", True)


def test_sync_killed_at_any_step_is_made_good_by_the_next_run(projects, runner, unharmed):
    if ALL:
        for kind in KINDS:
            for step in range(1, unharmed[kind][0] + 1):
                kill_and_heal(projects, runner, kind, [step], unharmed[kind][1])
        return

    @settings(max_examples=25, database=None)
    @given(kind=st.sampled_from(KINDS), share=st.floats(0, 1), again=st.none() | st.floats(0, 1))
    def check(kind, share, again):
        count, expected = unharmed[kind]
        steps = [1 + int(one * (count - 1)) for one in (share, again) if one is not None]
        kill_and_heal(projects, runner, kind, steps, expected)

    check()
