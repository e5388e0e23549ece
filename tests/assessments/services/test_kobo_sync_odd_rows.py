"""Rows that are no textbook: kept letter by letter, counted, shown, and in nobody's way."""

import json

import pytest
from django.db import connection

from assessments.messages import problem_message
from assessments.models import KoboSubmission, RoundTarget
from assessments.services.kobo_store import Store
from tests.practice import counts, kobos_copy, ledger, our_copy, sync

pytestmark = pytest.mark.django_db


@pytest.fixture
def rewrite(kobo):
    """Change the text of a row at Kobo: what no form can send, and servers list all the same."""

    def change(kobo_id, old, new):
        with kobo.database.writing() as db:
            db.execute("UPDATE submission SET body = replace(body, ?, ?) WHERE kobo_id = ?", (old, new, kobo_id))

    return change


def problems_of(kobo_id):
    return [(one["code"], one["path"]) for one in revision_of(kobo_id).problems]


def revision_of(kobo_id):
    return KoboSubmission.objects.get(kobo_id=kobo_id).current_revision


@pytest.mark.parametrize(
    ("answers", "problems"),
    [
        ({"total": "many"}, [("not_a_number", "total")]),
        ({"total": "-1"}, [("negative", "total")]),
        ({"total": "1.5"}, [("not_whole", "total")]),
        ({"total": "9" * 30}, [("too_large", "total")]),
        ({"villages": "two"}, [("wrong_shape", "villages")]),
        ({"villages": [{"villages/code": "999999999", "villages/number": "3"}]}, [("unknown_place", "present")]),
        ({"villages": [{"villages/number": "3"}]}, [("repeat_without_unit", "villages/code")]),
        ({"total": "x", "men": "y"}, [("not_a_number", "total"), ("not_a_number", "men")]),
    ],
)
def test_row_that_cannot_be_read_is_kept_and_counted(kobo, form, submit, answers, problems):
    bad, good = submit(**answers), submit()

    run = sync(form)

    assert (run.outcome, ledger(run)) == ("closed", {"at_kobo": 2, "here": 2, "new": 1, "refused": 1})
    assert (problems_of(bad), problems_of(good)) == (problems, [])
    assert our_copy(form) == kobos_copy(kobo, form.asset_uid)
    assert KoboSubmission.objects.get(kobo_id=bad).is_refused
    assert all(problem_message(one) for one in revision_of(bad).problems)


@pytest.mark.parametrize(
    "answers",
    [
        {"villages": [{}]},
        {"villages": [{"villages/code": "", "villages/number": ""}]},
        {"total": None, "men": None, "women": None},
        {"who": "a\x00b"},
        {"who": "😀 Әйгерім"},
        {"who": "x" * 300_000},
        {"villages": []},
        {"day": "yesterday"},
        {"code": ["K7", 4]},
    ],
    ids=["blank repeat", "empty repeat", "nothing", "nul", "emoji", "huge", "no villages", "no date", "odd code"],
)
def test_normal_weather_is_no_reason_to_refuse(kobo, form, submit, answers):
    kobo_id = submit(**answers)

    run = sync(form)

    assert (run.outcome, run.refused, run.new) == ("closed", 0, 1)
    assert revision_of(kobo_id).answers == kobo.row(kobo_id)
    assert ledger(sync(form)) == {"at_kobo": 1, "here": 1, "unchanged": 1}


def test_lone_surrogate_is_kept_as_the_escape_that_came(form, submit, rewrite):
    kobo_id = submit(who="HERE")
    rewrite(kobo_id, "HERE", "half a smile \\ud83d")

    run = sync(form)

    assert (run.outcome, run.new) == ("closed", 1)
    assert revision_of(kobo_id).answers["who"] == "half a smile \ud83d"


def test_largest_id_is_kept(form, submit):
    kobo_id = submit(kobo_id=2**63 - 1)

    assert ledger(sync(form)) == {"at_kobo": 1, "here": 1, "new": 1}
    assert KoboSubmission.objects.get().kobo_id == kobo_id
    assert ledger(sync(form)) == {"at_kobo": 1, "here": 1, "unchanged": 1}


@pytest.mark.parametrize("identity", ['"_uuid":null', f'"_uuid":"{"u" * 300}"'], ids=["no uuid", "long uuid"])
def test_row_without_a_usable_uuid_is_refused_and_stays_unchanged(form, submit, rewrite, identity):
    kobo_id = submit(uuid="HERE")
    rewrite(kobo_id, '"meta/instanceID":"uuid:HERE",', "")
    rewrite(kobo_id, '"_uuid":"HERE"', identity)

    assert ledger(sync(form)) == {"at_kobo": 1, "here": 1, "refused": 1}
    assert ledger(sync(form)) == {"at_kobo": 1, "here": 1, "refused": 1}
    assert ledger(sync(form, full=True)) == {"at_kobo": 1, "here": 1, "refused": 1}
    assert counts(form) == (1, 1)


def test_unreadable_row_becomes_readable_once_the_mapping_is_mended(form, submit):
    kobo_id = submit(total="10", people="7", men=None, women=None)
    rules = form.mapping["figures"]
    form.mapping = form.mapping | {"figures": [{"indicator": "presence", "path": ["people"]}]}
    form.save()
    assert ledger(sync(form)) == {"at_kobo": 1, "here": 1, "refused": 1}
    assert problems_of(kobo_id) == [("unknown_indicator", "presence")]
    form.mapping = form.mapping | {"figures": rules}
    form.save()

    assert ledger(sync(form, full=True)) == {"at_kobo": 1, "here": 1, "edited": 1}
    assert problems_of(kobo_id) == []


def test_corrected_row_leaves_the_refused_ones(kobo, form, submit):
    kobo_id = submit(total="many")
    sync(form)
    kobo.edit(kobo_id, {"total": "10"})

    assert ledger(sync(form)) == {"at_kobo": 1, "here": 1, "edited": 1}
    assert not KoboSubmission.objects.get().is_refused


# --- rows that PostgreSQL itself refuses


@pytest.mark.django_db(transaction=True)
def test_row_that_turns_a_batch_bad_is_split_off_and_the_others_are_stored(kobo, form, submit, other_village):
    """The target that the reader knows is gone when the batch is committed: its key points nowhere."""
    target = RoundTarget.objects.create(round=form.round, unit=other_village, form_kind=form.form_kind)
    ids = [submit() for _unused in range(7)]
    bad = submit(place=other_village.unit_id)
    ids += [submit() for _unused in range(4)]
    insert = Store.insert

    def insert_after_the_target_went(self, rows):
        RoundTarget.objects.filter(pk=target.pk).delete()
        return insert(self, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "insert", insert_after_the_target_went)
        run = sync(form)

    assert (run.outcome, ledger(run)) == ("closed", {"at_kobo": 12, "here": 12, "new": 11, "refused": 1})
    assert problems_of(bad) == [("cannot_be_stored", "")]
    assert our_copy(form).keys() == {*ids, bad}
    assert revision_of(bad).answers == kobo.row(bad)
    assert revision_of(ids[0]).form_version is not None


@pytest.fixture
def picky_column(transactional_db):
    """PostgreSQL refuses whom it does not like: stands for whatever no program foresees."""
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE assessments_kobosubmission ADD CONSTRAINT picky CHECK (enumerator_id IS NULL) NOT VALID"
        )
    yield
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE assessments_kobosubmission DROP CONSTRAINT picky")


@pytest.mark.parametrize("bad_ones", [{0}, {6}, {2, 3}, set(range(7))])
def test_refused_rows_of_a_batch_stay_refused_without_new_revisions(picky_column, form, submit, enumerator, bad_ones):
    for number in range(7):
        submit(who="E01" if number in bad_ones else "nobody")

    first, second, third = sync(form), sync(form), sync(form, full=True)

    good = 7 - len(bad_ones)
    assert {(run.outcome, run.refused, run.here) for run in (first, second, third)} == {("closed", len(bad_ones), 7)}
    assert (first.new, second.unchanged, third.unchanged, third.edited) == (good, good, good, 0)
    assert counts(form) == (7, 7)


def test_edit_that_postgresql_refuses_is_kept_as_refused(picky_column, kobo, form, submit, enumerator):
    kobo_id, other = submit(who="nobody"), submit(who="nobody")
    sync(form)
    kobo.edit(kobo_id, {"who": "E01"})
    kobo.edit(other, {"total": "11"})

    run = sync(form)

    assert ledger(run) == {"at_kobo": 2, "here": 2, "edited": 1, "refused": 1}
    assert json.loads(revision_of(kobo_id).raw) == kobo.row(kobo_id)
