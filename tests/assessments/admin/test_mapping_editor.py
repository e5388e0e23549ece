"""The page that edits a form's mapping, and the page of a version."""

import json
from datetime import UTC, date, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from assessments.models import KoboForm, KoboFormVersion
from assessments.services.mappings import fingerprint_of, save_mapping
from tests.factories.assessments import KoboFormFactory, RoundTargetFactory, make_submission

pytestmark = pytest.mark.django_db

CONTENT = {
    "translations": ["English (en)", "Русский (ru)"],
    "survey": [
        {"type": "integer", "$xpath": "total", "label": ["How many?", "Сколько?"]},
        {"type": "integer", "$xpath": "men", "label": ["Men", "Мужчин"]},
        {"type": "integer", "$xpath": "children", "label": ["Children", None]},
    ],
}
FIRST = datetime(2022, 11, 1, tzinfo=UTC)


@pytest.fixture
def target(village, sub_area):
    return RoundTargetFactory(unit=village, form_kind=sub_area)


@pytest.fixture
def form(target):
    mapping = {
        "schema": 1,
        "kind": "baseline_sub_area",
        "prefill": {"a": "b"},
        "figures": [
            {"indicator": "present", "path": ["total"]},
            {"indicator": "sex", "category": "male", "path": ["men", "old_men"]},
        ],
    }
    return KoboFormFactory(round=target.round, form_kind=target.form_kind, mapping=mapping)


@pytest.fixture
def version(form):
    return KoboFormVersion.objects.create(form=form, uid="v1", first_seen_at=FIRST, deployed_at=FIRST, content=CONTENT)


@pytest.fixture
def editor(client, administrator, form):
    client.force_login(administrator)
    return client


def address(form, version=None):
    return f"/admin/assessments/koboform/{form.pk}/mapping/" + (f"?version={version.pk}" if version else "")


def page(owner, do="save", **changes):
    """What the browser sends of the page as it was drawn, with changes."""
    form = getattr(owner, "form", owner)
    fields = {
        "do": do,
        "opened_with": fingerprint_of(owner),
        "rows": "2",
        "carried": json.dumps({"kind": "baseline_sub_area", "prefill": {"a": "b"}}),
        "row-0-figure": "present",
        "row-0-path": "total",
        "row-1-figure": "sex=male",
        "row-1-path": "men",
        "row-1-also": "old_men",
    }
    assert form
    return {name: value for name, value in (fields | changes).items() if value is not None}


def stored(owner):
    return type(owner).objects.get(pk=owner.pk).mapping


def told(response):
    return [str(message) for message in response.context["messages"]]


def test_page_saved_as_it_was_drawn_changes_nothing(editor, form, version):
    response = editor.post(address(form), page(form), follow=True)

    assert told(response) == ["The mapping is as it was: nothing was written."]
    assert stored(form) == form.mapping


def test_saving_tells_what_the_form_does_not_ask_and_how_many_forms_wait(editor, form, target, version):
    make_submission(target, form=form, is_refused=True)
    make_submission(target, form=form)

    response = editor.post(address(form), page(form, **{"row-0-path": "people"}), follow=True)

    assert response.redirect_chain == [(address(form), 302)]
    assert told(response) == [
        "The mapping is saved. Forms that come from now on are read by it.",
        "Not asked by the form in the field: people.",
        "1 form could not be read until now; it can be read anew.",
        "1 form that was read by the old mapping waits for a decision.",
    ]
    assert stored(form) == form.mapping | {
        "figures": [{"indicator": "present", "path": ["people"]}, form.mapping["figures"][1]]
    }


def test_saving_reads_again_what_could_not_be_read_when_asked_to(editor, form, target):
    unread = make_submission(target, form=form, is_refused=True, answers={"total": "many", "children": "3"})
    make_submission(target, form=form, is_refused=True, answers={"children": "few"})

    response = editor.post(address(form), page(form, "save_and_read", **{"row-0-path": "children"}), follow=True)

    assert told(response)[-1] == "Read again: 1 can be read now, 1 still cannot."
    unread.refresh_from_db()
    assert unread.is_refused is False


@pytest.mark.parametrize("do", ["check", "add", "nonsense"])
def test_nothing_but_save_writes(editor, form, version, do):
    response = editor.post(address(form), page(form, do, **{"row-0-path": "children"}))

    assert response.status_code == 200
    assert stored(form) == form.mapping
    assert response.context["rows"][0]["row"].values["path"] == "children"
    assert len(response.context["rows"]) == (3 if do == "add" else 2)


def test_fault_stands_in_its_row_and_what_was_typed_stays(editor, form):
    response = editor.post(address(form), page(form, **{"row-1-factor": "lots", "row-0-remove": "1"}))

    rows = response.context["rows"]
    assert [(one["row"].values["factor"], one["row"].faults) for one in rows] == [
        ("lots", ["Times the number has the wrong type"])
    ]
    assert (response.context["preview"], stored(form)) == (None, form.mapping)


def test_code_that_the_mission_does_not_have_is_told_in_words(editor, form):
    response = editor.post(address(form), page(form, **{"row-1-figure": "sex=child"}))

    assert response.context["rows"][1]["row"].faults == ["Figure “child” is not a category of this indicator"]
    assert stored(form) == form.mapping


def test_second_editor_is_told(editor, form, administrator):
    opened = page(form, **{"row-0-path": "children"})
    save_mapping(form, form.mapping | {"dont_know": ["dk"]}, opened_with=fingerprint_of(form), by=administrator)

    response = editor.post(address(form), opened)

    assert response.context["editor"].faults == [
        "Somebody else saved this mapping meanwhile. Nothing was written; look at it again."
    ]
    assert response.context["rows"][0]["row"].values["path"] == "children"
    assert stored(form)["figures"][0]["path"] == ["total"]


@pytest.mark.parametrize("role", ["manager", "coordinator"])
def test_others_with_a_desk_read_and_do_not_write(client, request, form, version, role):
    client.force_login(request.getfixturevalue(role))

    response = client.get(address(form))

    assert (response.status_code, response.context["may_change"]) == (200, False)
    assert b'<fieldset class="plain" disabled>' in response.content
    assert client.post(address(form), page(form, **{"row-0-path": "children"})).status_code == 403
    assert stored(form) == form.mapping


def test_questions_are_offered_in_the_readers_language(client, make_user, country, form, version):
    client.force_login(make_user("reader", role="administrator", unit=country, language="ru"))

    response = client.get(address(form))

    question = response.context["rows"][0]["main"][1]
    assert question.options == [
        ("", [("total", "Сколько? (total)"), ("men", "Мужчин (men)"), ("children", "Children (children)")])
    ]
    assert response.context["fit"]["unmapped"] == ["Children (children)"]


def test_page_asks_the_database_as_often_for_one_form_as_for_three(
    editor, form, target, version, django_assert_num_queries
):
    make_submission(target, form=form)
    editor.get(address(form))
    with django_assert_num_queries(14) as counted:
        editor.get(address(form))
    for _unused in range(2):
        make_submission(target, form=form)
    with django_assert_num_queries(len(counted)):
        editor.get(address(form))


# --- JSON


def test_json_replaces_the_rows_and_is_not_written(editor, form):
    mapping = {"schema": 1, "figures": [{"indicator": "present", "path": ["children"]}]}

    response = editor.post(address(form), page(form, "rows", json=json.dumps(mapping)))

    assert [one["row"].values["path"] for one in response.context["rows"]] == ["children"]
    assert stored(form) == form.mapping


def test_file_goes_before_the_text(editor, form):
    mapping = {"schema": 1, "figures": [{"indicator": "present", "constant": 1}]}
    file = SimpleUploadedFile("mapping.json", b"\xef\xbb\xbf" + json.dumps(mapping).encode())

    response = editor.post(address(form), page(form, "rows", json="{", file=file))

    assert [one["row"].values["constant"] for one in response.context["rows"]] == ["1"]


@pytest.mark.parametrize("text", ["{", "[1]", '"x"', "", "[" * 100_000])
def test_text_that_is_no_mapping_is_told_and_the_rows_stay(editor, form, text):
    response = editor.post(address(form), page(form, "rows", json=text))

    assert response.context["editor"].raw_fault
    assert response.context["editor"].shown_json == text
    assert len(response.context["rows"]) == 2


def test_key_that_means_nothing_is_told_when_json_is_taken_over(editor, form):
    response = editor.post(address(form), page(form, "rows", json=json.dumps(form.mapping | {"colour": "red"})))

    assert response.context["editor"].faults == ["colour means nothing in a mapping"]


def test_mapping_of_more_rows_than_a_page_can_send_is_edited_as_json(editor, form):
    """Whole, so that none is lost."""
    years = [
        {"indicator": "arrival_year", "category": str(year), "unit": [f"p{one}"], "repeat": ["r"], "value": ["r/v"]}
        for year in range(2000, 2050)
        for one in range(7)
    ]
    long = {"schema": 1, "figures": years}

    response = editor.post(address(form), page(form, "rows", json=json.dumps(long)))
    assert (response.context["rows"], response.context["is_too_long"]) == ([], True)
    whole = response.context["editor"].mapping_json
    sent = {"do": "save", "opened_with": fingerprint_of(form), "whole": whole, "rows": "0"}
    editor.post(address(form), sent)

    assert stored(form) == long


def test_stored_mapping_is_downloaded(editor, form):
    response = editor.get(address(form), {"export": "1"})

    assert response["Content-Disposition"] == 'attachment; filename="mapping.json"'
    assert json.loads(response.content) == form.mapping


# --- versions


def test_version_starts_from_the_forms_mapping_takes_its_own_and_gives_it_back(editor, form, version):
    assert editor.get(address(form, version)).context["is_inherited"] is True

    editor.post(address(form, version), page(version, **{"row-0-path": "children"}))
    assert stored(version)["figures"][0]["path"] == ["children"]
    assert stored(form) == form.mapping

    version.refresh_from_db()
    editor.post(address(form, version), page(version, "own"))
    assert stored(version) is None


def test_version_of_another_form_is_not_found(editor, form, version):
    other = KoboForm.objects.exclude(pk=form.pk).first() or KoboFormFactory(round=form.round, form_kind=form.form_kind)

    assert editor.get(address(other, version)).status_code == 404
    assert editor.get(f"{address(form)}?version=x").status_code == 404


def late(target, form, version, *, day, **columns):
    submission = make_submission(target, form=form, day=day, **columns)
    type(submission.current_revision).objects.filter(pk=submission.current_revision_id).update(form_version=version)


def test_version_page_names_who_still_uses_it_after_the_next_was_deployed(
    client, coordinator, other_coordinator, form, target, version, enumerator
):
    KoboFormVersion.objects.create(form=form, uid="v2", first_seen_at=FIRST, deployed_at=FIRST.replace(day=20))
    for day in (20, 21, 25):
        late(target, form, version, day=date(2022, 11, day), enumerator=enumerator)
    late(target, form, version, day=date(2022, 11, 22), submitted_by="iom_07")
    late(target, form, version, day=date(2022, 11, 22), enumerator=enumerator, deleted_at=FIRST)
    page = f"/admin/assessments/koboformversion/{version.pk}/change/"

    client.force_login(coordinator)
    context = client.get(page).context
    assert context["outdated_after"] == date(2022, 11, 20)
    assert [
        (one.person, one.submitted_by, one.forms, one.first_day.day, one.last_day.day) for one in context["late"]
    ] == [
        (enumerator, "", 2, 21, 25),
        (None, "iom_07", 1, 22, 22),
    ]
    client.force_login(other_coordinator)
    assert client.get(page).context["late"] == []


def test_last_day_accepted_is_typed_on_the_version_page_and_nothing_else(editor, form, target, version):
    late(target, form, version, day=date(2022, 11, 25), submitted_by="iom_07")
    page = f"/admin/assessments/koboformversion/{version.pk}/change/"
    assert editor.get(page).context["late"] == []

    editor.post(page, {"last_accepted_on": "2022-11-24", "uid": "other"})

    version.refresh_from_db()
    assert (version.last_accepted_on, version.uid) == (date(2022, 11, 24), "v1")
    assert [one.forms for one in editor.get(page).context["late"]] == [1]


def test_version_list_counts_submissions_with_the_same_queries(
    editor, form, target, version, django_assert_num_queries
):
    address = "/admin/assessments/koboformversion/"
    late(target, form, version, day=date(2022, 11, 25))
    editor.get(address)
    with django_assert_num_queries(7) as counted:
        assert [one.received for one in editor.get(address).context["cl"].result_list] == [1]
    for uid in ("v2", "v3"):
        KoboFormVersion.objects.create(form=form, uid=uid, first_seen_at=FIRST)
    with django_assert_num_queries(len(counted)):
        assert len(editor.get(address).context["cl"].result_list) == 3
