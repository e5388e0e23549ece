"""Rounds, focus groups and submissions, made to be read in a test. Rows with rules go through the real services."""

import json
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

import factory
from django.core.files.base import ContentFile
from factory.django import DjangoModelFactory

from assessments import models
from tests.factories.locations import AdminUnitFactory
from tests.factories.training import FormKindFactory


class AssessmentRoundFactory(DjangoModelFactory):
    class Meta:
        model = models.AssessmentRound
        django_get_or_create = ("code",)

    code = "2022-Q4"
    reporting_from = date(2022, 10, 1)
    reporting_to = date(2022, 12, 31)
    fieldwork_from = date(2022, 11, 14)
    fieldwork_to = date(2023, 3, 10)
    reference_date = date(2022, 12, 31)
    counted_since = date(2020, 1, 1)
    reference_year = 2022
    status = "open"


class RoundTargetFactory(DjangoModelFactory):
    class Meta:
        model = models.RoundTarget

    round = factory.SubFactory(AssessmentRoundFactory)
    unit = factory.SubFactory(AdminUnitFactory)
    form_kind = factory.SubFactory(FormKindFactory)


class KoboServerFactory(DjangoModelFactory):
    class Meta:
        model = models.KoboServer
        django_get_or_create = ("base_url",)

    name = "Practice"
    base_url = "http://127.0.0.1:8001"
    token = "0123456789abcdef"


class KoboFormFactory(DjangoModelFactory):
    class Meta:
        model = models.KoboForm

    server = factory.SubFactory(KoboServerFactory)
    asset_uid = factory.Sequence(lambda number: f"aForm{number:016}")
    name = "A form"
    form_kind = factory.SubFactory(FormKindFactory)
    round = factory.SubFactory(AssessmentRoundFactory)
    mapping = factory.LazyFunction(
        lambda: {
            "schema": 1,
            "head": {"focus_group": ["code"], "enumerator": ["who"], "unit": ["place"], "date": ["day"]},
            "figures": [
                {"indicator": "present", "path": ["total"]},
                {"indicator": "sex", "category": "male", "path": ["men"]},
                {"indicator": "sex", "category": "female", "path": ["women"]},
                {
                    "indicator": "present",
                    "repeat": ["villages"],
                    "unit": ["villages/code"],
                    "value": ["villages/number"],
                },
            ],
        }
    )


def make_submission(target: models.RoundTarget, *, form: models.KoboForm | None = None, **columns: Any) -> Any:
    """A submission with one revision that matches its target. ``answers`` (a dict) is its content."""
    answers = columns.pop("answers", {"total": "10", "men": "6", "women": "4"})
    form = form or models.KoboForm.objects.filter(round=target.round, form_kind=target.form_kind).first()
    form = form or KoboFormFactory(round=target.round, form_kind=target.form_kind)
    now = datetime(2023, 1, 30, 9, tzinfo=UTC)
    kobo_id = columns.pop("kobo_id", models.KoboSubmission.objects.count() + 1)
    submission = models.KoboSubmission.objects.create(
        server=form.server,
        form=form,
        kobo_id=kobo_id,
        uuid=f"uuid-{kobo_id}",
        root_uuid=f"uuid-{kobo_id}",
        submitted_at=now,
        first_seen_at=now,
        match_state="by_place",
        target=target,
        unit=target.unit,
        **columns,
    )
    add_revision(submission, answers)
    return submission


def add_revision(submission: models.KoboSubmission, answers: dict[str, Any]) -> models.SubmissionRevision:
    """The next content of a submission, as a sync would have stored it."""
    number = submission.revisions.count() + 1
    uuid = f"uuid-{submission.kobo_id}-{number}"
    identity = {"_id": submission.kobo_id, "_uuid": uuid, "meta/rootUuid": f"uuid:{submission.root_uuid}"}
    raw = json.dumps({**identity, **answers}, ensure_ascii=False)
    revision = models.SubmissionRevision.objects.create(
        submission=submission,
        number=number,
        uuid=uuid,
        raw=raw,
        fingerprint=f"{number}",
        seen_at=submission.first_seen_at,
    )
    submission.current_revision = revision
    submission.save(update_fields=["current_revision"])
    return revision


def make_attachment(submission: models.KoboSubmission, *, content: bytes | None = None, **columns: Any) -> Any:
    """A file that Kobo lists; with ``content`` it was fetched and lies in the storage."""
    at = submission.first_seen_at
    plain = {"uid": "att1", "name": "sign.png", "xpath": "photo", "mimetype": "image/png", "seen_at": at}
    attachment = models.SubmissionAttachment(submission=submission, **plain | columns)
    if content is not None:
        ending = attachment.name.rpartition(".")[2]
        attachment.file.save(f"{submission.pk}.{ending}", ContentFile(content), save=False)
        attachment.state, attachment.size, attachment.fetched_at = "fetched", len(content), at
        attachment.sha256 = sha256(content).hexdigest()
    attachment.save()
    return attachment
