"""The demonstration, loaded through the real services. Idempotent; refused where fictitious people have no place."""

from datetime import date, timedelta
from pathlib import Path

from django.utils.translation import gettext as _

from assessments.demo.cast import TRAINING_DAYS, hold_training, make_people, make_users, plan_training
from assessments.demo.figures import REGION_TOTALS
from assessments.demo.kobo import demo_kobo
from assessments.demo.places import propose_changes
from assessments.demo.practice_round import load_practice_round
from assessments.demo.quarter import load_quarter
from assessments.demo.roster import tell_of_people
from assessments.models import AssessmentRound
from assessments.services.vocabulary import load_vocabulary
from dtm_ops.common.errors import Refused
from locations.models import AdminUnit
from training.services.courses import load_courses


def load_demo(*, kobo_state: Path, kobo_address: str, today: date) -> list[AssessmentRound]:
    """People, the source report's training, round 2022-Q4, a practice round dated around ``today``, and what is to
    decide about people and places.

    What is there already is left as people have changed it. The gazetteer has to be loaded before.
    """
    country = AdminUnit.objects.filter(level=0).first()
    regions = {unit.unit_id: unit for unit in AdminUnit.objects.filter(unit_id__in=REGION_TOTALS)}
    if country is None or len(regions) != len(REGION_TOTALS):
        raise Refused(_("Load the gazetteer first: manage.py load_gazetteer"), code="no_gazetteer")
    load_vocabulary()
    load_courses()
    users = make_users({code: regions[code] for code in REGION_TOTALS}, country)
    people = make_people(regions, users)
    hold_training("2022-11-baseline", "Training on data collection (on line)", days=TRAINING_DAYS, people=people)
    plan_training("coming-refresher", first_day=today + timedelta(days=7), people=people)
    with demo_kobo(kobo_state, address=kobo_address) as kobo:
        quarter = load_quarter(kobo, regions=regions, people=people, users=users)
        practice = load_practice_round(kobo, regions=regions, people=people, users=users, today=today)
    tell_of_people(people, users=users, today=today)
    propose_changes(regions, users=users, today=today)
    return [quarter, practice]
