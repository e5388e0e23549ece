"""How a form's sync stands: one case a state, and random histories against the rule in plain words."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assessments.enums import SyncState
from assessments.messages import ADVICE, KOBO, PASSES_BY_ITSELF
from assessments.models import KoboForm, SyncRun
from assessments.selectors.sync_page import sync_page
from assessments.selectors.sync_state import with_sync_state
from tests.factories.assessments import KoboFormFactory

NOW = datetime(2022, 12, 1, 9, tzinfo=UTC)
STATES = [
    ([], "never"),
    ([("closed", "", 5)], "good"),
    ([("closed", "", 41)], "late"),
    ([("red", "rows_gone", 5)], "red"),
    ([("red", "counts_differ", 5)], "red"),
    ([("closed", "", 20), ("failed", "bad_token", 5)], "red"),
    ([("closed", "", 20), ("failed", "timed_out", 5)], "retry"),
    ([("closed", "", 50), ("failed", "timed_out", 5)], "late"),
    ([("failed", "timed_out", 50), ("failed", "timed_out", 5)], "late"),
    ([("closed", "", 20), ("lost", "", 5)], "retry"),
    ([("closed", "", 20), ("stopped", "", 5)], "retry"),
    ([("red", "rows_gone", 20), ("closed", "", 5)], "good"),
    # Nobody holds its lock: the worker died.
    ([("closed", "", 20), ("running", "", 5)], "retry"),
]


def make_runs(form, history):
    for outcome, code, minutes in history:
        at = NOW - timedelta(minutes=minutes)
        finished = None if outcome == "running" else at
        SyncRun.objects.create(
            form=form, trigger="beat", started_at=at, finished_at=finished, outcome=outcome, error_code=code
        )


def state_of(form):
    return with_sync_state(KoboForm.objects.filter(pk=form.pk), now=NOW).get().sync_state


@pytest.mark.django_db
@pytest.mark.parametrize(("history", "state"), STATES)
def test_state_follows_from_the_runs(history, state):
    form = KoboFormFactory()
    make_runs(form, history)

    page = sync_page(form, now=NOW)

    assert (page.state, page.running) == (state, None)


@pytest.mark.django_db
@pytest.mark.parametrize(("history", "_state"), STATES)
def test_form_that_is_switched_off_is_off(history, _state):
    form = KoboFormFactory(is_active=False)
    make_runs(form, history)

    assert state_of(form) == "off"


@pytest.mark.django_db
@pytest.mark.parametrize("code", sorted(KOBO))
def test_failure_is_red_unless_it_passes_by_itself(code):
    form = KoboFormFactory()
    make_runs(form, [("closed", "", 20), ("failed", code, 5)])

    assert state_of(form) == ("retry" if code in PASSES_BY_ITSELF else "red")


def test_error_that_has_a_sentence_has_an_advice():
    assert sorted(KOBO.keys() ^ ADVICE.keys()) == []


@pytest.mark.django_db
def test_page_tells_the_last_good_run_from_the_last_one_and_since_when_it_is_bad():
    form = KoboFormFactory(next_sync_at=NOW - timedelta(minutes=11))
    make_runs(form, [("closed", "", 30), ("failed", "timed_out", 20), ("red", "rows_gone", 10)])

    page = sync_page(form, now=NOW)

    assert (page.last.outcome, page.good.outcome, page.counted.outcome) == ("red", "closed", "red")
    assert (page.since_good, NOW - page.form.bad_since) == (timedelta(minutes=30), timedelta(minutes=20))
    assert (page.misses_rows, page.is_not_taken) == (True, True)


def expected_state(history):
    """The rule of `SyncState`, of runs from the oldest to the newest."""
    if not history:
        return "never"
    good = [minutes for outcome, _code, minutes in history if outcome == "closed"]
    outcome, code, _minutes = history[-1]
    if outcome == "red" or (outcome == "failed" and code not in PASSES_BY_ITSELF):
        return "red"
    if (min(good) if good else max(minutes for *_rest, minutes in history)) > 2 * 15 + 10:
        return "late"
    return "good" if outcome == "closed" else "retry"


runs = st.lists(
    st.tuples(
        st.sampled_from(["closed", "red", "failed", "lost", "stopped"]),
        st.sampled_from(["", "timed_out", "bad_token", "rows_gone"]),
        st.integers(0, 90),
    ),
    max_size=6,
    unique_by=lambda run: run[2],
).map(lambda found: sorted(found, key=lambda run: -run[2]))


@pytest.mark.django_db
@settings(max_examples=60)
@given(history=runs)
def test_state_of_any_history_is_the_rules(history):
    form = KoboForm.objects.first() or KoboFormFactory()
    SyncRun.objects.all().delete()
    make_runs(form, history)

    assert state_of(form) == expected_state(history)
    assert list(SyncState)[with_sync_state(KoboForm.objects.all(), now=NOW).get().sync_rank] == state_of(form)
