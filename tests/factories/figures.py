"""Approved forms with figures, through the real review."""

from collections.abc import Sequence
from typing import Any

from assessments import models
from assessments.services.review import approve_submission
from dtm_ops.accounts.models import User
from locations.models import AdminUnit
from tests.factories.assessments import AssessmentRoundFactory, KoboFormFactory, RoundTargetFactory, make_submission
from tests.factories.locations import AdminUnitFactory
from training.models import FormKind

MAPPING = {
    "schema": 1,
    "head": {"focus_group": ["code"], "enumerator": ["who"], "unit": ["place"], "date": ["day"]},
    "figures": [
        {"indicator": "present", "path": ["total"]},
        {"indicator": "present", "repeat": ["villages"], "unit": ["villages/code"], "value": ["villages/number"]},
        {"indicator": "sex", "category": "male", "path": ["men"]},
        {"indicator": "sex", "category": "female", "path": ["women"]},
        {"indicator": "arrival_year", "category": "2021", "path": ["in_2021"]},
        {"indicator": "arrival_year", "category": "2022", "path": ["in_2022"]},
        {"indicator": "reason", "category": "economic", "path": ["economic"]},
        {"indicator": "reason", "category": "sanctions", "path": ["sanctions"]},
    ],
}


def approved_form(
    current: models.AssessmentRound, unit: AdminUnit, kind: FormKind, answers: dict[str, Any], *, by: Sequence[User]
) -> models.KoboSubmission:
    """A target with a form that everybody of ``by`` approved, one after the other."""
    form = models.KoboForm.objects.filter(round=current, form_kind=kind).first()
    form = form or KoboFormFactory(round=current, form_kind=kind, mapping=MAPPING)
    target = RoundTargetFactory(round=current, unit=unit, form_kind=kind)
    submission = make_submission(target, form=form, answers=answers)
    for person in by:
        approve_submission(submission, reviewer=person)
    return submission


def hand_made_round(
    *,
    district: AdminUnit,
    village: AdminUnit,
    elsewhere: AdminUnit,
    kinds: tuple[FormKind, FormKind],
    people: tuple[User, User, User],
) -> models.AssessmentRound:
    """A district form over two villages, one of which was visited, a village that it does not name, and a village of a
    district without a form.

    By hand. The district form says 1,000, of them 300 in ``village`` and 200 in Second: 500 are the rest. The village
    form says 350. Third, unnamed, says 80. So 350 + 200 + 500 + 80 = 1,130; with 50 elsewhere 1,180. Men: 300 of the
    rest and 200 of the village; women: 150 and 100; 430 not given. 2021: 100 + 100; 2022: 250 + 150 = 400. Reasons of
    those 400: economic 200 + 100, sanctions 0 + 50, 50 not given. Fourth is planned and has no form.
    """
    area, sub_area = kinds
    coordinator, other_coordinator, manager = people
    current = AssessmentRoundFactory()
    second, third, fourth = (
        AdminUnitFactory(code=f"19523{number}000", parent=district, names={"en": name})
        for number, name in ((5, "Second"), (7, "Third"), (9, "Fourth"))
    )
    villages = [
        {"villages/code": village.unit_id, "villages/number": "300"},
        {"villages/code": second.unit_id, "villages/number": "200"},
    ]
    rest = {"men": "300", "women": "150", "in_2021": "100", "in_2022": "250", "economic": "200"}
    approved_form(current, district, area, {"total": "1000", "villages": villages, **rest}, by=[coordinator, manager])
    own = {"men": "200", "women": "100", "in_2021": "100", "in_2022": "150", "economic": "100", "sanctions": "50"}
    approved_form(current, village, sub_area, {"total": "350", **own}, by=[coordinator])
    approved_form(current, third, sub_area, {"total": "80"}, by=[coordinator])
    approved_form(current, elsewhere, sub_area, {"total": "50"}, by=[other_coordinator])
    RoundTargetFactory(round=current, unit=fourth, form_kind=sub_area)
    return current
