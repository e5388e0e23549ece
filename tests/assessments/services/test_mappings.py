"""Saving a mapping: checked, by one editor at a time, and what to think of afterwards."""

import copy

import pytest
from django.apps import apps
from django.utils import timezone

from assessments.kobo.questions import Fit
from assessments.models import KoboForm, KoboFormVersion
from assessments.selectors.mappings import (
    Cell,
    FigureKey,
    content_for,
    deployed_version,
    form_questions,
    preview_mapping,
)
from assessments.services.mappings import MappingRefused, Saved, fingerprint_of, save_mapping
from dtm_ops.common.errors import Refused
from tests.concurrently import at_once
from tests.factories.assessments import KoboFormFactory, RoundTargetFactory, make_submission

pytestmark = pytest.mark.django_db

QUESTIONS = ("code", "who", "place", "day", "total", "women", "extra")
CONTENT = {"survey": [{"type": "integer", "$xpath": path} for path in QUESTIONS]}
NEW = {
    "schema": 1,
    "head": {"unit": ["place"]},
    "dont_know": ["dk"],
    "figures": [
        {"indicator": "present", "path": ["total"]},
        {"indicator": "sex", "category": "male", "path": ["men"]},
    ],
}


@pytest.fixture
def target(village, sub_area):
    return RoundTargetFactory(unit=village, form_kind=sub_area)


@pytest.fixture
def form(target):
    return KoboFormFactory(round=target.round, form_kind=target.form_kind)


def make_version(form, uid="v1", **columns):
    return KoboFormVersion.objects.create(form=form, uid=uid, first_seen_at=timezone.now(), **columns)


def save(owner, mapping, by, *, opened_with=None):
    return save_mapping(owner, mapping, opened_with=opened_with or fingerprint_of(owner), by=by)


def stored(owner):
    return type(owner).objects.get(pk=owner.pk).mapping


def events(owner):
    name = f"{type(owner).__name__}Event"
    return apps.get_model("assessments", name).objects.filter(pgh_obj_id=owner.pk, pgh_label="update").count()


def test_saved_mapping_tells_how_it_fits_and_which_forms_wait(form, target, administrator):
    make_version(form, content=CONTENT)
    make_submission(target, form=form, is_refused=True)
    make_submission(target, form=form)
    make_submission(target, form=form, deleted_at=timezone.now())

    saved = save(form, NEW, administrator)

    fit = Fit(missing=("men",), misplaced=(), unmapped=("code", "who", "day", "women", "extra"))
    assert saved == Saved(changed=True, fit=fit, refused=1, undecided=1)
    assert (stored(form), events(form)) == (NEW, 1)


def test_same_mapping_again_writes_nothing(form, administrator):
    save(form, NEW, administrator)

    assert save(form, NEW, administrator) == Saved(changed=False, fit=None, refused=0, undecided=0)
    assert events(form) == 1


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        ({"indicator": "birds"}, [("unknown_indicator", "figures[1].indicator", "birds")]),
        ({"category": "child"}, [("unknown_category", "figures[1].category", "child")]),
        ({"path": []}, [("wrong_type", "figures[1].path", "list of texts expected")]),
        (
            {"category": ["s"], "recode": {"m": "man"}, "categories": ["male", "boy"]},
            [
                ("unknown_category", "figures[1].categories", "boy"),
                ("unknown_category", "figures[1].recode", "man"),
            ],
        ),
    ],
)
def test_mapping_with_faults_is_refused_and_nothing_written(form, administrator, change, problems):
    before, mapping = stored(form), copy.deepcopy(NEW)
    mapping["figures"][1] |= change

    with pytest.raises(MappingRefused) as caught:
        save(form, mapping, administrator)

    assert [(one.code, one.path, one.value) for one in caught.value.problems] == problems
    assert str(caught.value).startswith("The mapping is not usable: figures[1].")
    assert (stored(form), events(form)) == (before, 0)


@pytest.mark.parametrize("role", ["manager", "coordinator"])
def test_mapping_is_the_administrators(form, request, role):
    before = stored(form)

    with pytest.raises(Refused) as caught:
        save(form, NEW, request.getfixturevalue(role))

    assert (caught.value.code, stored(form)) == ("not_allowed", before)


def test_second_editor_is_told_and_writes_nothing(form, administrator):
    opened = fingerprint_of(form)
    other = NEW | {"dont_know": ["99"]}
    save(form, NEW, administrator, opened_with=opened)

    with pytest.raises(Refused) as caught:
        save(form, other, administrator, opened_with=opened)

    assert (caught.value.code, stored(form)) == ("changed_meanwhile", NEW)


@pytest.mark.django_db(transaction=True)
def test_of_two_editors_at_once_one_is_told(form, administrator):
    opened = fingerprint_of(form)
    mappings = [NEW, NEW | {"dont_know": ["99"]}]

    def saving(mapping):
        return lambda: save(KoboForm.objects.get(pk=form.pk), mapping, administrator, opened_with=opened)

    results = at_once(*(saving(mapping) for mapping in mappings))

    won = [place for place, result in enumerate(results) if isinstance(result, Saved)]
    assert len(won) == 1
    assert (results[1 - won[0]].code, stored(form)) == ("changed_meanwhile", mappings[won[0]])


def test_version_takes_a_mapping_of_its_own_and_gives_it_back(form, target, administrator):
    version = make_version(form, content=CONTENT)
    submission = make_submission(target, form=form)
    type(submission.current_revision).objects.update(form_version=version)

    assert save(version, NEW, administrator).undecided == 1
    assert (stored(version), events(version)) == (NEW, 1)
    assert save(form, NEW, administrator).undecided == 0  # they are read by their version's

    assert save(version, None, administrator).fit is None
    assert stored(version) is None
    with pytest.raises(Refused):
        save(form, None, administrator)


# --- what a mapping is looked at with


def test_deployed_version_is_the_newest_that_was_read(form):
    now = timezone.now()
    make_version(form, "v1", content=CONTENT, deployed_at=now.replace(year=2021))
    second = make_version(form, "v2", content={"survey": []}, deployed_at=now.replace(year=2022))
    third = make_version(form, "v3")

    assert (deployed_version(form), content_for(form), content_for(third)) == (second, {"survey": []}, None)


def test_questions_of_a_form_not_read_yet_are_those_that_were_answered(form, target):
    make_submission(target, form=form, answers={"head/place": "1", "villages": [{"villages/number": "2"}]})

    assert [(one.path, one.repeat) for one in form_questions(form)] == [
        ("head/place", ""),
        ("villages", ""),
        ("villages/number", "villages"),
    ]


def preview(mapping, form, user):
    found = preview_mapping(mapping, form, user=user)
    return [form.submission.kobo_id for form in found.forms], dict(found.rows), [form.problems for form in found.forms]


def test_preview_shows_zero_and_unknown_and_not_asked_apart(form, target, manager, village):
    make_submission(target, form=form, kobo_id=30_001, answers={"total": "0", "men": "dk", "place": village.unit_id})
    make_submission(target, form=form, kobo_id=30_002, answers={"total": "many"})

    ids, rows, problems = preview(NEW, form, manager)

    assert ids == [30_002, 30_001]
    assert rows == {
        "Migrant workers present": (None, Cell(value=0)),
        "Sex: men": (None, Cell(unknown=True)),
    }
    assert problems == [("total “many” is not a number",), ()]
    assert preview(NEW, form, manager)[1]["Sex: men"][1] != Cell()


def test_preview_takes_places_of_a_repeat_together_and_names_what_we_do_not_have(form, target, manager, other_village):
    mapping = NEW | {
        "figures": [{"indicator": "present", "repeat": ["places"], "unit": ["places/code"], "value": ["places/number"]}]
    }
    rows = [("places/code", other_village.unit_id), ("places/code", "nowhere")]
    answers = [{"places": [dict([row, ("places/number", "4")]) for row in rows[:count]]} for count in (1, 2)]
    for one in answers:
        make_submission(target, form=form, answers=one)

    found = preview_mapping(mapping, form, user=manager)

    assert [form.cells for form in found.forms][1] == {FigureKey("present", None, True): Cell(value=4, places=1)}
    assert [form.problems for form in found.forms] == [("present “nowhere” is not in the gazetteer",), ()]


def test_preview_is_of_the_last_20_within_reach(form, target, manager, other_coordinator):
    for _unused in range(21):
        make_submission(target, form=form)

    assert len(preview_mapping(NEW, form, user=manager).forms) == 20
    assert preview_mapping(NEW, form, user=other_coordinator).forms == ()


def test_preview_asks_the_database_as_often_for_one_form_as_for_three(
    form, target, manager, village, django_assert_num_queries
):
    mapping = NEW | {
        "figures": [{"indicator": "present", "repeat": ["places"], "unit": ["places/code"], "value": ["places/number"]}]
    }
    preview_mapping(mapping, form, user=manager)  # whose scope is read once
    for count in (1, 3):
        while form.submissions.count() < count:
            rows = [{"places/code": village.unit_id, "places/number": "1"}]
            make_submission(target, form=form, answers={"places": rows})
        with django_assert_num_queries(4):
            preview_mapping(mapping, form, user=manager)
