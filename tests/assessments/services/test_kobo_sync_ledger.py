"""Whatever happens at Kobo, between runs and in the middle of one: a last quiet run makes our copy equal to Kobo's."""

import itertools
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assessments.kobo.errors import KoboError
from assessments.models import KoboForm, SyncRun
from assessments.services.kobo_sync import sync_form
from tests.practice import CONTENT, client_of, kobos_copy, ledger, our_copy

pytestmark = pytest.mark.django_db

ANSWERS = st.fixed_dictionaries(
    {"total": st.sampled_from(["0", "7", "x", "-1", "\x00", "٣", "9" * 40]), "who": st.sampled_from(["E01", "😀", ""])}
)
ONE = st.one_of(
    st.tuples(st.just("submit"), st.integers(0, 9), ANSWERS),
    st.tuples(st.just("submit_below"), st.integers(0, 9), ANSWERS),
    st.tuples(st.just("edit"), st.integers(0, 9), ANSWERS),
    st.tuples(st.sampled_from(["delete", "hide", "show"]), st.integers(0, 9), st.none()),
)
SOME = st.lists(ONE, max_size=6)
FAULT = st.sampled_from([None, None, "bad_gateway", "cut", "html", "server_error"])
# What happens before a run, after each page of it, and what goes wrong in it.
RUNS = st.lists(st.tuples(SOME, st.lists(SOME, max_size=2), FAULT, st.integers(0, 6)), min_size=1, max_size=3)

numbers = itertools.count(1)


class Project:
    """A project of the practice Kobo on which operations are carried out by number, whatever rows there are."""

    def __init__(self, kobo, form, village):
        self.kobo, self.village, self.hidden = kobo, village, []
        asset_uid = f"aProject{next(numbers)}"
        kobo.create_asset(asset_uid, asset_uid, form.server.username, CONTENT)
        self.form = KoboForm.objects.create(
            server=form.server, asset_uid=asset_uid, round=form.round, form_kind=form.form_kind, mapping=form.mapping
        )

    def carry_out(self, operations):
        for verb, number, answers in operations:
            ids = self.hidden if verb == "show" else self.kobo.ids(self.form.asset_uid)
            if verb == "submit":
                self._submit(answers)
            elif ids:
                getattr(self, f"_{verb}")(ids[number % len(ids)], answers)

    def _submit(self, answers, kobo_id=None):
        filled = {"place": self.village.unit_id, "day": "2022-11-20", **answers}
        self.kobo.submit(self.form.asset_uid, filled, submitted_by="e01", kobo_id=kobo_id)

    def _submit_below(self, kobo_id, answers):
        below = kobo_id - 1_000_000
        with suppress(Exception):  # the id is taken, or below zero
            self._submit(answers, kobo_id=below if below > 0 else None)

    def _edit(self, kobo_id, answers):
        self.kobo.edit(kobo_id, answers)

    def _delete(self, kobo_id, _answers):
        self.kobo.delete(kobo_id)

    def _hide(self, kobo_id, _answers):
        self.kobo.hide(kobo_id)
        self.hidden.append(kobo_id)

    def _show(self, kobo_id, _answers):
        self.kobo.show(kobo_id)
        self.hidden.remove(kobo_id)

    def sync(self, meanwhile=()):
        meanwhile = list(meanwhile)
        with client_of(self.form) as client:
            return sync_form(
                self.form,
                client=client,
                trigger="command",
                page_size=3,
                on_page=lambda run: self.carry_out(meanwhile.pop() if meanwhile else []),
            )


@pytest.fixture
def high_ids(kobo, form, submit):
    """Ids begin high, so that rows can appear below."""
    submit(kobo_id=5_000_000)


@pytest.fixture
def many_may_go(monkeypatch):
    """Here people do delete many forms at once: the threshold has tests of its own."""
    monkeypatch.setattr("assessments.services.kobo_passes.FEW", 1_000)


@settings(max_examples=100)
@given(runs=RUNS, first=st.lists(ANSWERS, max_size=5))
def test_after_a_quiet_run_our_copy_is_kobos(runs, first, kobo, form, village, high_ids, many_may_go):
    project = Project(kobo, form, village)
    project.carry_out([("submit", 0, answers) for answers in first])
    for before, meanwhile, fault, skip in runs:
        project.carry_out(before)
        if fault:
            kobo.misbehave(fault, skip=skip, times=3, path=project.form.asset_uid)
        with suppress(KoboError):
            project.sync(meanwhile)
        kobo.behave()

    for _unused in range(2):
        last = project.sync()

    assert (last.outcome, last.error_code, last.differences) == ("closed", "", {})
    assert our_copy(project.form) == kobos_copy(kobo, project.form.asset_uid)
    assert not last.new + last.edited + last.deleted
    assert ledger(last).get("at_kobo", 0) == kobo.count(project.form.asset_uid)
    assert not SyncRun.objects.filter(outcome="running").exists()
