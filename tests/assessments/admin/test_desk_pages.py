"""Every page of the desk, by role: who may open, add, change; what is out of reach; how many queries a list takes."""

from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from assessments import models
from assessments.services.assignments import assign_enumerator
from assessments.services.focus_groups import plan_focus_group
from assessments.services.review import return_submission
from dtm_ops.accounts.models import ApiToken, User
from dtm_ops.records.models import Notice, StatusChange
from dtm_ops.records.notices import queue_notice
from locations.models import AdminUnit, Boundary, GazetteerUpdate, UnitChange, UnitScope
from tests.factories.assessments import KoboFormFactory, RoundTargetFactory, make_submission
from tests.factories.locations import AdminUnitFactory, BoundaryFactory
from tests.factories.training import (
    CertificateFactory,
    CheckFactory,
    CorrectiveTaskFactory,
    CourseFactory,
    EnumeratorFactory,
    TeamFactory,
    TrainingSessionFactory,
)
from training.models import (
    Absence,
    Certificate,
    CorrectiveTask,
    Course,
    Enrolment,
    Enumerator,
    FormKind,
    Team,
    TestAttempt,
    TrainedForm,
    TrainingHalfDay,
    TrainingSession,
)

NOW = datetime(2022, 12, 1, 9, tzinfo=UTC)


def address(model, page="changelist", *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def make_more_of_people_and_places(number, *, place, person):
    """A row of each list that stands beside the work."""
    task = CorrectiveTaskFactory(enumerator=person)
    update = GazetteerUpdate.objects.create(title=f"Edition {number}", effective_on=NOW.date())
    change = UnitChange.objects.create(
        update=update, kind="renamed", unit=place, parent=place.parent, effective_on=NOW.date()
    )
    queue_notice(f"notice-{number}", to="a@example.org", language="en", subject="Training", body="Come.")
    return {
        Absence: Absence.objects.create(enumerator=person, first_day=NOW.date(), last_day=NOW.date()),
        Boundary: BoundaryFactory(unit=place),
        CorrectiveTask: task,
        Course: CourseFactory(),
        GazetteerUpdate: update,
        Notice: Notice.objects.get(key=f"notice-{number}"),
        Team: TeamFactory(unit=place),
        TestAttempt: CheckFactory(corrective_task=task),
        UnitChange: change,
    }


@pytest.fixture
def world(village, enumerator, sub_area, region, manager):
    """One row of everything, in Almaty region."""
    target = RoundTargetFactory(unit=village, form_kind=sub_area)
    models.RoundRegion.objects.create(round=target.round, unit=region)
    group = plan_focus_group(target, starts_at=NOW, ends_at=NOW.replace(hour=11))
    assign_enumerator(group, enumerator)
    form = KoboFormFactory(round=target.round, form_kind=sub_area)
    models.KoboFormVersion.objects.create(form=form, uid="v1", first_seen_at=NOW)
    run = models.SyncRun.objects.create(
        form=form, trigger="beat", started_at=NOW, finished_at=NOW, outcome="failed", error_code="bad_token"
    )
    submission = make_submission(target, form=form, enumerator=enumerator, focus_group=group)
    models.QualityFlag.objects.create(
        revision=submission.current_revision, check_code="not_certified", severity="warning", params={}
    )
    return_submission(submission, reviewer=manager, reason="other", text="Look again")
    training = Certificate.objects.filter(enumerator=enumerator).first().training_session
    Enrolment.objects.create(training_session=training, enumerator=enumerator)
    return make_more_of_people_and_places(0, place=village, person=enumerator) | {
        AdminUnit: village,
        ApiToken: ApiToken.objects.create(user=manager, name="a program", digest="x"),
        Certificate: enumerator.certificates.first(),
        Enumerator: enumerator,
        FormKind: sub_area,
        StatusChange: StatusChange.objects.get(),
        TrainingSession: training,
        UnitScope: UnitScope.objects.get(user=enumerator.user),
        User: manager,
        models.AssessmentRound: target.round,
        models.FocusGroupSession: group,
        models.HookDelivery: models.HookDelivery.objects.create(form=form, received_at=NOW, kobo_id=1, body="{}"),
        models.Indicator: models.Indicator.objects.first(),
        models.KoboForm: form,
        models.KoboFormVersion: form.versions.get(),
        models.KoboServer: form.server,
        models.KoboSubmission: submission,
        models.MatchAlias: models.MatchAlias.objects.create(
            round=target.round, kind="place", typed="Zhandossov", key="žandosov", target=target, settled_by=manager
        ),
        models.RoundTarget: target,
        models.StatusPush: submission.status_pushes.get(),
        models.SyncRun: run,
    }


# What nobody but these may open; all other lists are for everybody who has a desk.
FOR_ADMINISTRATORS = {User, ApiToken, Notice}
NOT_FOR_COORDINATORS = {StatusChange, models.HookDelivery, *FOR_ADMINISTRATORS}
# Rows of places: another region's coordinator does not find them.
OF_PLACES = {
    Absence, AdminUnit, Boundary, Certificate, CorrectiveTask, Enumerator, Team, TestAttempt, TrainingSession,
    UnitChange, UnitScope, models.FocusGroupSession, models.KoboSubmission, models.RoundTarget,
    models.StatusPush,
}  # fmt: skip
ADD = {
    "administrator": {
        Absence, AdminUnit, ApiToken, CorrectiveTask, Course, Enumerator, FormKind, GazetteerUpdate, Team,
        TrainingSession, UnitChange, UnitScope, User, models.AssessmentRound, models.FocusGroupSession,
        models.RoundTarget,
    },
    "manager": {UnitChange, models.AssessmentRound, models.RoundTarget},
    "coordinator": {
        Absence, CorrectiveTask, Enumerator, Team, TrainingSession, UnitChange, models.FocusGroupSession,
    },
}  # fmt: skip
DELETE = {"administrator": {Absence, Boundary, UnitScope}, "manager": set(), "coordinator": {Absence}}
# Raised and decided by verbs: no form changes them.
BY_VERBS = {CorrectiveTask, GazetteerUpdate, UnitChange}
CHANGE = {
    "administrator": ADD["administrator"] - {ApiToken} - BY_VERBS | {models.KoboForm, models.KoboFormVersion},
    "manager": ADD["manager"] - BY_VERBS,
    "coordinator": ADD["coordinator"] - BY_VERBS,
}


def test_world_has_a_row_of_every_page_of_the_desk(world):
    assert set(admin.site._registry) == set(world)


@pytest.mark.parametrize("role", ["administrator", "manager", "coordinator", "other_coordinator"])
def test_every_list_and_row_opens_for_whom_it_is_meant_and_for_nobody_else(request, client, world, role):
    client.force_login(request.getfixturevalue(role))
    closed = {"administrator": set(), "manager": FOR_ADMINISTRATORS}.get(role, NOT_FOR_COORDINATORS)
    hidden = OF_PLACES if role == "other_coordinator" else set()

    found = {}
    for model, row in world.items():
        found[model] = (
            client.get(address(model)).status_code,
            client.get(address(model, "change", row.pk)).status_code,
        )

    expected = dict.fromkeys(world, (200, 200))
    expected |= dict.fromkeys(hidden, (200, 404)) | dict.fromkeys(closed, (403, 403))
    assert found == expected


@pytest.mark.parametrize("role", ["enumerator", "stranger", None])
def test_desk_is_closed_for_enumerators_strangers_and_anonymous(request, client, world, role):
    if role:
        person = request.getfixturevalue(role)
        client.force_login(getattr(person, "user", person))

    for model, row in world.items():
        for page, *args in (("changelist",), ("add",), ("change", row.pk), ("history", row.pk), ("delete", row.pk)):
            assert client.get(address(model, page, *args)).status_code == 302, (model, page)


@pytest.mark.parametrize("role", ["administrator", "manager", "coordinator"])
def test_adding_changing_and_deleting_by_role(request, rf, world, role):
    asked = rf.get("/")
    asked.user = request.getfixturevalue(role)

    pages = admin.site._registry
    assert {model for model in world if pages[model].has_add_permission(asked)} == ADD[role]
    assert {model for model, row in world.items() if pages[model].has_change_permission(asked, row)} == CHANGE[role]
    deletable = {model for model, row in world.items() if pages[model].has_delete_permission(asked, row)}
    assert deletable == DELETE[role]


def test_no_list_offers_to_delete_what_was_selected(client, world, administrator):
    client.force_login(administrator)
    for model in set(world) - {Absence, Boundary, UnitScope}:
        body = client.get(address(model)).content.decode()
        assert "delete_selected" not in body, model


def test_index_follows_the_work(client, world, coordinator, administrator):
    client.force_login(administrator)
    apps = client.get("/admin/").context["app_list"]
    assert [(app["app_label"], [row["object_name"] for row in app["models"]]) for app in apps] == [
        (
            "people",
            [
                "Enumerator", "Team", "Absence", "Course", "TrainingSession", "TestAttempt", "Certificate",
                "CorrectiveTask", "Notice",
            ],
        ),
        ("fieldwork", ["AssessmentRound", "RoundTarget", "FocusGroupSession"]),
        (
            "kobo",
            [
                "KoboForm", "SyncRun", "KoboServer", "KoboFormVersion", "HookDelivery", "FormKind", "Indicator",
                "StatusPush",
            ],
        ),
        ("review", ["KoboSubmission", "MatchAlias", "StatusChange"]),
        ("places", ["AdminUnit", "UnitChange", "GazetteerUpdate", "Boundary"]),
        ("rights", ["User", "UnitScope", "ApiToken"]),
    ]  # fmt: skip

    client.force_login(coordinator)
    apps = client.get("/admin/").context["app_list"]
    assert [row["object_name"] for app in apps for row in app["models"]][-7:] == [
        "KoboSubmission", "MatchAlias", "AdminUnit", "UnitChange", "GazetteerUpdate", "Boundary", "UnitScope",
    ]  # fmt: skip


def more_rows(world, number):
    """Another row of each list that grows with the work."""
    place = AdminUnitFactory(parent=world[AdminUnit].parent)
    person = EnumeratorFactory(home_unit=place)
    session = TrainingSessionFactory()
    Enrolment.objects.create(training_session=session, enumerator=person)
    TrainingHalfDay.objects.create(training_session=session, day=NOW.date(), part="am")
    TrainedForm.objects.create(training_session=session, form_kind=world[FormKind])
    CertificateFactory(enumerator=person, form_kind=world[FormKind], training_session=session)
    target = RoundTargetFactory(unit=place, form_kind=world[FormKind], round=world[models.AssessmentRound])
    group = plan_focus_group(target, starts_at=NOW, ends_at=NOW.replace(hour=11))
    assign_enumerator(group, person)
    form = KoboFormFactory(round=target.round, form_kind=world[FormKind], is_active=False)
    models.KoboFormVersion.objects.create(form=form, uid=f"v{number}", first_seen_at=NOW)
    models.SyncRun.objects.create(form=form, trigger="beat", started_at=NOW, finished_at=NOW, outcome="failed")
    submission = make_submission(target, form=world[models.KoboForm], enumerator=person, focus_group=group)
    models.QualityFlag.objects.create(
        revision=submission.current_revision, check_code="not_certified", severity="warning", params={}
    )
    return_submission(submission, reviewer=world[User], reason="other", text="Look again")
    models.MatchAlias.objects.create(
        round=target.round, kind="place", typed=f"Word {number}", key=f"word{number}", target=target,
        settled_by=world[User],
    )  # fmt: skip
    ApiToken.objects.create(user=world[User], name="a program", digest=f"x{number}")
    make_more_of_people_and_places(number + 1, place=place, person=person)


@pytest.fixture
def count_queries():
    """``count_queries(act)``: how many queries it makes the second time, and what it answered."""

    def count(act):
        act()
        with CaptureQueriesContext(connection) as made:
            answer = act()
        return len(made), answer

    return count


GROWING = [
    Absence, ApiToken, Boundary, Certificate, CorrectiveTask, Course, Enumerator, GazetteerUpdate, Notice, StatusChange,
    Team, TestAttempt, TrainingSession, UnitChange, User, models.FocusGroupSession, models.KoboForm,
    models.KoboFormVersion, models.KoboSubmission, models.MatchAlias, models.RoundTarget, models.SyncRun,
]  # fmt: skip


@pytest.mark.parametrize("model", GROWING, ids=lambda model: model.__name__)
def test_list_costs_the_same_for_few_rows_and_for_many(client, world, administrator, model, make_user, count_queries):
    client.force_login(administrator)
    page = address(model) + ("?review=all" if model is models.KoboSubmission else "")
    before, few = count_queries(lambda: client.get(page))

    for number in range(2):
        more_rows(world, number)
        make_user(f"user{number}", role="manager", unit=world[AdminUnit])
    after, many = count_queries(lambda: client.get(page))

    rows = [answer.context["cl"].result_count for answer in (few, many)]
    assert rows[1] >= rows[0] + 2
    assert (before, before <= 15) == (after, True)
