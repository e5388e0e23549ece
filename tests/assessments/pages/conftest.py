"""A round with work on it, and who looks at it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from assessments.models import AssessmentRound, FocusGroupSession, KoboForm, RoundTarget
from assessments.services.assignments import assign_enumerator
from assessments.services.focus_groups import plan_focus_group
from dtm_ops.accounts.models import User
from locations.models import AdminUnit
from tests.factories.assessments import AssessmentRoundFactory, KoboFormFactory, KoboServerFactory, RoundTargetFactory
from tests.factories.locations import AdminUnitFactory
from training.models import Enumerator, FormKind

PRACTICE = "http://127.0.0.1:8001"


@pytest.fixture
def signed_in(client: Client) -> Callable[[User], Client]:
    def sign_in(user: User) -> Client:
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def current_round(db: None) -> AssessmentRound:
    return AssessmentRoundFactory()


@pytest.fixture
def target(current_round: AssessmentRound, village: AdminUnit, sub_area: FormKind) -> RoundTarget:
    return RoundTargetFactory(round=current_round, unit=village, form_kind=sub_area)


@pytest.fixture
def form(target: RoundTarget) -> KoboForm:
    return KoboFormFactory(
        server=KoboServerFactory(base_url=PRACTICE),
        round=target.round,
        form_kind=target.form_kind,
        asset_uid="aPractice",
    )


@pytest.fixture
def plan(enumerator: Enumerator, target: RoundTarget) -> Callable[..., FocusGroupSession]:
    """``plan(days=2)``: a focus group of the enumerator two days from now; each call another village."""

    def make(*, days: float | None = 2, at: RoundTarget | None = None, **columns: str) -> FocusGroupSession:
        if at is None:
            at = target
            if target.focus_groups.exists():
                unit = AdminUnitFactory(parent=target.unit.parent)
                at = RoundTargetFactory(round=target.round, unit=unit, form_kind=target.form_kind)
        starts = None if days is None else datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
        ends = None if starts is None else starts + timedelta(hours=2)
        group = plan_focus_group(at, starts_at=starts, ends_at=ends, **columns)
        assign_enumerator(group, enumerator)
        return group

    return make
