"""Corrective tasks on the desk and on the person's own page; certificates: paper, public page, who revoked."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.factories.training import CertificateFactory, CheckFactory, CorrectiveTaskFactory, EnumeratorFactory
from training.models import CorrectiveTask, TestAttempt

TASKS = "/admin/training/correctivetask/"
CERTIFICATES = "/admin/training/certificate/"


@pytest.fixture
def today():
    return timezone.localdate()


@pytest.fixture
def task(enumerator):
    return CorrectiveTaskFactory(enumerator=enumerator, what="Ask for consent first")


def press(client, row, verb, **asked):
    return client.post(f"{TASKS}{row.pk}/do/{verb}/", {"confirmed": "1", **asked}, follow=True)


def check(client, task, points, day):
    asked = {"part": "practical", "points": points, "out_of": "100", "taken_on": day.isoformat()}
    return press(client, task, "check", **asked)


def said(response):
    return [str(one) for one in response.context["messages"]]


def test_task_is_raised_checked_and_closed_by_a_passed_check(client, coordinator, enumerator, today):
    client.force_login(coordinator)
    asked = {"enumerator": enumerator.pk, "what": "Consent", "reason": "Two forms without", "form_kind": ""}
    client.post(f"{TASKS}add/", {**asked, "due_on": today.isoformat(), "pass_mark": "70"})
    task = CorrectiveTask.objects.get()
    assert (task.what, task.raised_by, task.status, task.pass_mark) == ("Consent", coordinator, "open", 70)

    failed, passed = (check(client, task, points, today) for points in ("69.5", "70"))

    task.refresh_from_db()
    assert said(failed)[-1:] == ["Not passed, 69 % of 70 %: the task stays open."]
    assert said(passed) == ["Passed with 70 %: the task is done."]
    assert (task.status, task.checks.count()) == ("done", 2)


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        ({"due_on": "2022-01-01"}, {"due_on": ["The day until which the task is due is over already."]}),
        ({"reason": " "}, {"reason": ["This field is required."]}),
        ({"pass_mark": "0"}, {"__all__": ["A pass mark is a percentage from 1 to 100."]}),
    ],
)
def test_wrong_task_is_told_at_its_field(client, coordinator, enumerator, change, errors):
    client.force_login(coordinator)
    asked = {"enumerator": enumerator.pk, "what": "Consent", "reason": "Two", "due_on": "2999-01-01", "pass_mark": "70"}

    answer = client.post(f"{TASKS}add/", asked | change)

    assert (answer.context["adminform"].errors, CorrectiveTask.objects.count()) == (errors, 0)


def test_person_out_of_reach_or_gone_gets_no_task(client, coordinator, enumerator, other_village):
    far = EnumeratorFactory(home_unit=other_village)
    type(enumerator).objects.filter(pk=enumerator.pk).update(status="left")
    client.force_login(coordinator)
    asked = {"what": "Consent", "reason": "Two", "due_on": "2999-01-01", "pass_mark": "70"}

    answers = [client.post(f"{TASKS}add/", {**asked, "enumerator": person.pk}) for person in (far, enumerator)]

    assert ["enumerator" in answer.context["adminform"].errors for answer in answers] == [True, True]
    assert CorrectiveTask.objects.count() == 0


def test_task_is_cancelled_and_opened_again(client, coordinator, task):
    client.force_login(coordinator)

    press(client, task, "cancel", reason="Not needed")
    early = press(client, task, "reopen", reason="Needed", due_on="2022-01-01")
    task.refresh_from_db()
    assert (task.status, "due_on" in early.context["form"].errors) == ("cancelled", True)

    press(client, task, "reopen", reason="Needed", due_on="2998-01-01")
    task.refresh_from_db()
    assert (task.status, task.due_on.year) == ("open", 2998)


@pytest.mark.parametrize(("role", "status"), [("manager", 403), ("other_coordinator", 404), ("stranger", 302)])
def test_wrong_person_does_nothing_to_a_task(request, client, task, today, role, status):
    client.force_login(request.getfixturevalue(role))
    posted = {"confirmed": "1", "reason": "No", "part": "theory", "points": "90", "out_of": "100", "taken_on": today}

    answers = [client.post(f"{TASKS}{task.pk}/do/{verb}/", posted).status_code for verb in ("check", "cancel")]

    task.refresh_from_db()
    assert (answers, task.status, TestAttempt.objects.count()) == ([status] * 2, "open", 0)


def test_list_finds_what_is_overdue_and_of_a_region(client, manager, task, region, other_village, today):
    late = CorrectiveTaskFactory(due_on=today - timedelta(days=1), enumerator__home_unit=other_village)
    soon = CorrectiveTaskFactory(due_on=today, enumerator__home_unit=other_village)
    CorrectiveTaskFactory(due_on=late.due_on, status="done", closed_at=timezone.now())
    client.force_login(manager)

    def found(**filters):
        return set(client.get(TASKS, filters).context["cl"].result_list)

    assert found(due="overdue") == {late}
    assert found(due="week") == {soon}
    assert found(region=region.path, status__exact="open") == {task}


def test_list_asks_the_same_number_of_queries_at_one_and_three_rows(
    client, coordinator, task, village, django_assert_max_num_queries
):
    client.force_login(coordinator)
    client.get(TASKS)
    with django_assert_max_num_queries(30) as one:
        client.get(TASKS)
    CheckFactory.create_batch(2, corrective_task__enumerator__home_unit=village)
    with django_assert_max_num_queries(30) as three:
        answer = client.get(TASKS)

    assert (len(answer.context["cl"].result_list), len(one)) == (3, len(three))


def test_person_sees_own_open_tasks_with_reason_and_day(client, task, enumerator, village, today):
    CorrectiveTaskFactory(enumerator=enumerator, what="Late one", due_on=today - timedelta(days=1))
    CorrectiveTaskFactory(enumerator=enumerator, what="Done one", status="done", closed_at=timezone.now())
    CorrectiveTaskFactory(enumerator__home_unit=village, what="Somebody else's")
    client.force_login(enumerator.user)

    answer = client.get("/my/")

    assert [(one.task.what, one.is_overdue) for one in answer.context["tasks"]] == [
        ("Late one", True),
        ("Ask for consent first", False),
    ]
    text = answer.content.decode()
    assert ["Until 1 January 2999" in text, "Two forms without consent" in text, "Done one" in text] == [
        True, True, False,
    ]  # fmt: skip


def test_certificate_page_leads_to_paper_and_public_page_and_says_who_revoked(client, coordinator, enumerator, today):
    certificate = enumerator.certificates.first()
    client.force_login(coordinator)
    asked = {"confirmed": "1", "reason": "Copied answers", "on": today.isoformat()}
    client.post(f"{CERTIFICATES}{certificate.pk}/do/revoke/", asked)

    page = client.get(f"{CERTIFICATES}{certificate.pk}/change/").content.decode()

    certificate.refresh_from_db()
    assert certificate.revoked_by == coordinator
    for wanted in (
        f"/training/certificates/{certificate.serial}.pdf",
        f"/verify/{certificate.serial}/",
        "Copied answers",
    ):
        assert wanted in page
    public = client.get(f"/verify/{certificate.serial}/").content
    assert (b"Revoked" in public, b"Copied answers" in public) == (True, False)


def test_certificates_ask_the_same_number_of_queries_at_one_and_three_rows(
    client, coordinator, village, django_assert_max_num_queries
):
    client.force_login(coordinator)
    CertificateFactory(enumerator__home_unit=village)
    client.get(CERTIFICATES)
    with django_assert_max_num_queries(30) as one:
        client.get(CERTIFICATES)
    for _unused in range(2):
        CertificateFactory(enumerator__home_unit=village)
    with django_assert_max_num_queries(30) as three:
        answer = client.get(CERTIFICATES)

    assert (len(answer.context["cl"].result_list), len(one)) == (3, len(three))


def test_list_tells_revoked_expired_and_valid_apart(client, coordinator, village, today):
    yesterday = today - timedelta(days=1)
    rows = {
        "revoked": CertificateFactory(
            enumerator__home_unit=village, revoked_on=today, revocation_reason="Copied", revoked_by=coordinator
        ),
        "expired": CertificateFactory(enumerator__home_unit=village, expires_on=yesterday),
        "valid": CertificateFactory(enumerator__home_unit=village, expires_on=today),
    }
    client.force_login(coordinator)

    page = client.get(f"{CERTIFICATES}?standing=not")

    assert set(page.context["cl"].result_list) == {rows["revoked"], rows["expired"]}
    admin = page.context["cl"].model_admin
    assert [f">{word}<" in admin.shown_standing(row) for word, row in rows.items()] == [True, True, True]
