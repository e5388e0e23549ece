"""The one function that moves a status, and the history that nobody can change."""

from itertools import product

import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from assessments.enums import FOCUS_GROUP_STEPS, REVIEW_STEPS, ROUND_STEPS, TARGET_STEPS
from assessments.models import RoundTarget
from dtm_ops.common.errors import TransitionNotAllowed
from dtm_ops.records.models import StatusChange
from dtm_ops.records.services import change_status, change_statuses
from tests.concurrently import at_once
from tests.factories.assessments import RoundTargetFactory, make_submission
from tests.factories.training import EnumeratorFactory
from training.enums import ENUMERATOR_STEPS

pytestmark = pytest.mark.django_db

TABLES = {
    "round": (ROUND_STEPS, "status"),
    "target": (TARGET_STEPS, "status"),
    "focus_group": (FOCUS_GROUP_STEPS, "status"),
    "submission": (REVIEW_STEPS, "review_status"),
    "enumerator": (ENUMERATOR_STEPS, "status"),
}
PAIRS = [(name, old, new) for name, (table, _field) in TABLES.items() for old, new in product(table, table)]


@pytest.fixture
def target(village, sub_area):
    return RoundTargetFactory(unit=village, form_kind=sub_area)


@pytest.fixture
def rows(target):
    """A row of each kind that has a status, without any rule between it and any status."""
    start = "2022-11-20T09:00+06:00"
    group = target.focus_groups.create(code="K7-4PQX", starts_at=start, ends_at="2022-11-20T10:00+06:00")
    submission = make_submission(target)
    submission.approved_revision = submission.current_revision
    submission.save()
    type(target).objects.update(status_reason="Snow")
    for row in (group, target):
        row.refresh_from_db()
    return {
        "round": target.round,
        "target": target,
        "focus_group": group,
        "submission": submission,
        "enumerator": EnumeratorFactory(),
    }


def history(row):
    return list(StatusChange.objects.about(row).values_list("field", "old", "new", "by__username", "reason", "text"))


@pytest.mark.parametrize(("kind", "old", "new"), PAIRS)
def test_every_pair_moves_exactly_as_its_table_says(rows, manager, kind, old, new):
    row, (table, field) = rows[kind], TABLES[kind]
    type(row)._base_manager.filter(pk=row.pk).update(**{field: old})
    row.refresh_from_db()

    if new in table[old]:
        change_status(row, new, allowed=table, field=field, by=manager, reason="why", text="In words")
    else:
        with pytest.raises(TransitionNotAllowed):
            change_status(row, new, allowed=table, field=field, by=manager, reason="why", text="In words")

    moved = new in table[old]
    row.refresh_from_db()
    assert getattr(row, field) == (new if moved else old)
    assert history(row) == ([(field, old, new, "manager", "why", "In words")] if moved else [])


def test_stale_row_loses_and_writes_nothing(target, manager):
    stale = RoundTarget.objects.get(pk=target.pk)
    RoundTarget.objects.update(status="excluded", status_reason="Asked by somebody else")

    with pytest.raises(TransitionNotAllowed) as refusal:
        change_status(
            stale, "inaccessible", allowed=TARGET_STEPS, by=manager, also={"status_reason": "Snow"}, text="Snow"
        )

    assert refusal.value.meanwhile
    assert "somebody else" in str(refusal.value)
    target.refresh_from_db()
    assert (target.status, target.status_reason, history(target)) == ("excluded", "Asked by somebody else", [])
    assert stale.status == "open"


def test_row_whose_other_column_moved_loses(target, manager):
    stale = RoundTarget.objects.get(pk=target.pk)
    RoundTarget.objects.update(minimum_informants=9)

    with pytest.raises(TransitionNotAllowed):
        change_status(
            stale, "excluded", allowed=TARGET_STEPS, by=manager, also={"status_reason": "x"},
            unless_moved=("minimum_informants",),
        )  # fmt: skip

    assert history(target) == []


@pytest.mark.parametrize(
    "statement", ["UPDATE records_statuschange SET text = 'x'", "DELETE FROM records_statuschange"]
)
def test_history_cannot_be_changed_by_any_means(target, manager, statement):
    change_status(target, "excluded", allowed=TARGET_STEPS, by=manager, also={"status_reason": "Snow"}, text="Snow")
    before = history(target)

    with (
        pytest.raises(ProgrammingError, match="Cannot update or delete"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)

    assert history(target) == before != []


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_wins_and_the_other_is_told(target, manager, coordinator):
    def move(new, by):
        row = RoundTarget.objects.get(pk=target.pk)
        return lambda: change_status(row, new, allowed=TARGET_STEPS, by=by, also={"status_reason": new}, text=new)

    results = at_once(move("excluded", manager), move("inaccessible", coordinator))

    winners = [one for one in results if isinstance(one, StatusChange)]
    losers = [one for one in results if isinstance(one, TransitionNotAllowed) and one.meanwhile]
    assert (len(winners), len(losers)) == (1, 1)
    target.refresh_from_db()
    assert (target.status, [step[2] for step in history(target)]) == (winners[0].new, [winners[0].new])


def test_many_rows_move_at_once_with_one_history_row_each(target, manager, django_assert_num_queries):
    others = [RoundTargetFactory(round=target.round, form_kind=target.form_kind) for _unused in range(3)]
    RoundTarget.objects.filter(pk=others[0].pk).update(status="excluded", status_reason="Snow")
    change_status(others[1], "excluded", allowed=TARGET_STEPS, by=None, also={"status_reason": "x"})
    RoundTarget.objects.update(status_reason="Snow")

    with django_assert_num_queries(3 + 2):
        moved = change_statuses(
            RoundTarget.objects.all(), "inaccessible", allowed={"open": {"inaccessible"}}, by=manager
        )

    assert moved == 2
    assert history(target) == history(others[2]) == [("status", "open", "inaccessible", "manager", "", "")]
    assert history(others[0]) == []
