"""Forms of other missions, with other names and shapes, for every kind of form: planned, connected with a mapping and
nothing else, synchronised, reviewed, counted. Then the shipped ones of the kinds that have many forms a place.
"""

import io
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.core.management import call_command

from assessments.models import Category, Figure, Indicator, KoboForm, KoboSubmission, SyncRun
from assessments.services.mappings import fingerprint_of, save_mapping
from assessments.services.review import approve_submission
from tests.factories.assessments import AssessmentRoundFactory, RoundTargetFactory
from tests.practice import ACCOUNT, FIELD_DAY
from training.models import FormKind

pytestmark = pytest.mark.django_db

ASSET = "aOtherMission0000000"


def question(path, kind="integer"):
    return {"type": kind, "name": path.rpartition("/")[2], "$xpath": path}


@dataclass(frozen=True)
class OtherForm:
    """A form as another mission would make it. ``figures``: what must come out, by (unit, indicator, category)."""

    kind: str
    survey: list[dict[str, Any]]
    mapping: dict[str, Any]
    forms: list[dict[str, Any]]
    figures: list[dict[tuple[str, str, str | None], int | None]]
    steps: int = 1
    indicators: tuple[tuple[str, tuple[str, ...]], ...] = field(default=())


# Shares of a total, villages in a repeat with a code list of its own, a total that nobody knew; in each village a
# repeat of nations.
AREA = OtherForm(
    "baseline_area",
    [
        question("debut/lieu", "text"), question("debut/jour", "date"), question("effectif/total"),
        question("effectif/pct_femmes", "decimal"), question("effectif/pct_hommes", "decimal"),
        question("hameaux", "begin_repeat"), question("hameaux/code", "text"), question("hameaux/combien"),
        question("hameaux/nations", "begin_repeat"), question("hameaux/nations/pays", "text"),
        question("hameaux/nations/n"),
    ],
    {
        "schema": 1,
        "head": {"unit": ["debut/lieu"], "date": ["debut/jour"]},
        "dont_know": ["nsp"],
        "not_listed": ["autre"],
        "figures": [
            {"indicator": "present", "path": ["effectif/total"]},
            {"indicator": "sex", "category": "female", "path": ["effectif/pct_femmes"], "share_of": ["effectif/total"]},
            {"indicator": "sex", "category": "male", "path": ["effectif/pct_hommes"], "share_of": ["effectif/total"]},
            {"indicator": "present", "repeat": ["hameaux"], "unit": ["hameaux/code"], "value": ["hameaux/combien"]},
            {
                "indicator": "nationality", "repeat": ["hameaux/nations"], "unit": ["hameaux/code"],
                "category": ["hameaux/nations/pays"], "value": ["hameaux/nations/n"], "recode": {"ouz": "UZ"},
            },
        ],
    },
    [
        {
            "debut/lieu": "{place}", "debut/jour": FIELD_DAY, "effectif/total": "201", "effectif/pct_femmes": "33,5",
            "effectif/pct_hommes": "nsp",
            "hameaux": [
                {
                    "hameaux/code": "{other}", "hameaux/combien": "50",
                    "hameaux/nations": [
                        {"hameaux/nations/pays": "ouz", "hameaux/nations/n": "30"},
                        {"hameaux/nations/pays": "RU", "hameaux/nations/n": "nsp"},
                    ],
                },
                {"hameaux/code": "autre", "hameaux/combien": "9"},
            ],
        }
    ],
    [
        {
            ("{place}", "present", None): 201,
            ("{place}", "sex", "female"): 67,
            ("{place}", "sex", "male"): None,
            ("{other}", "present", None): 50,
            ("{other}", "nationality", "UZ"): 30,
            ("{other}", "nationality", "RU"): None,
        }
    ],
    steps=2,
)  # fmt: skip

# Families times an average size; nobody was asked about sex.
SUB_AREA = OtherForm(
    "baseline_sub_area",
    [question("site", "text"), question("fecha", "date"), question("familias"), question("promedio", "decimal")],
    {
        "schema": 1,
        "head": {"unit": ["site"], "date": ["fecha"]},
        "figures": [
            {"indicator": "present", "path": ["familias"], "times": ["promedio"]},
            {"indicator": "sex", "category": "male", "path": ["hombres"]},
        ],
    },
    [{"site": "{place}", "fecha": FIELD_DAY, "familias": "31", "promedio": "4.5"}],
    [{("{place}", "present", None): 140}],
)

# One household a form, its members in a repeat, with sexes under other names.
SURVEY = OtherForm(
    "survey",
    [
        question("hh/village", "text"), question("hh/date", "date"), question("members", "begin_repeat"),
        question("members/gender", "select_one"), question("members/age"),
    ],
    {
        "schema": 1,
        "head": {"unit": ["hh/village"], "date": ["hh/date"]},
        "dont_know": ["dk"],
        "figures": [
            {"indicator": "household", "constant": 1},
            {"indicator": "present", "repeat": ["members"], "constant": 1},
            {
                "indicator": "sex", "repeat": ["members"], "category": ["members/gender"], "constant": 1,
                "recode": {"m": "male", "f": "female"},
            },
        ],
    },
    [
        {
            "hh/village": "{place}", "hh/date": FIELD_DAY,
            "members": [{"members/gender": gender, "members/age": "7"} for gender in ("m", "f", "f")],
        },
        {"hh/village": "{place}", "hh/date": FIELD_DAY, "members": [{"members/gender": "f"}]},
    ],
    [
        {
            ("{place}", "household", None): 1, ("{place}", "present", None): 3, ("{place}", "sex", "male"): 1,
            ("{place}", "sex", "female"): 2,
        },
        {("{place}", "household", None): 1, ("{place}", "present", None): 1, ("{place}", "sex", "female"): 1},
    ],
    indicators=(("household", ()),),
)  # fmt: skip

# Vehicles in a repeat, added up over the rows, by direction; a vehicle whose passengers nobody could count.
FLOW = OtherForm(
    "flow_monitoring",
    [
        question("point", "text"), question("on", "date"), question("vehicles", "begin_repeat"),
        question("vehicles/way", "select_one"), question("vehicles/people"),
    ],
    {
        "schema": 1,
        "head": {"unit": ["point"], "date": ["on"]},
        "dont_know": ["-99"],
        "figures": [
            {"indicator": "present", "repeat": ["vehicles"], "constant": 1},
            {
                "indicator": "direction", "repeat": ["vehicles"], "category": ["vehicles/way"],
                "value": ["vehicles/people"], "sum": True,
            },
        ],
    },
    [
        {
            "point": "{place}", "on": FIELD_DAY,
            "vehicles": [
                {"vehicles/way": way, "vehicles/people": people}
                for way, people in (("in", "4"), ("out", "0"), ("in", "50"), ("past", "3"), ("past", "-99"))
            ],
        }
    ],
    [
        {
            ("{place}", "present", None): 5, ("{place}", "direction", "in"): 54, ("{place}", "direction", "out"): 0,
            ("{place}", "direction", "past"): None,
        }
    ],
    indicators=(("direction", ("in", "out", "past")),),
)  # fmt: skip

# One person a form: the answers say only which category they are.
REGISTRATION = OtherForm(
    "registration",
    [question("camp", "text"), question("registered_on", "date"), question("sex", "select_one"),
     question("country", "select_one")],
    {
        "schema": 1,
        "head": {"unit": ["camp"], "date": ["registered_on"]},
        "dont_know": ["unknown"],
        "figures": [
            {"indicator": "present", "constant": 1},
            {"indicator": "sex", "category": ["sex"], "constant": 1, "recode": {"1": "male", "2": "female"}},
            {"indicator": "nationality", "category": ["country"], "constant": 1},
        ],
    },
    [
        {"camp": "{place}", "registered_on": FIELD_DAY, "sex": "2", "country": "UZ"},
        {"camp": "{place}", "registered_on": FIELD_DAY, "sex": "unknown"},
    ],
    [
        {("{place}", "present", None): 1, ("{place}", "sex", "female"): 1, ("{place}", "nationality", "UZ"): 1},
        {("{place}", "present", None): 1, ("{place}", "sex", None): None},
    ],
)  # fmt: skip

FORMS = (AREA, SUB_AREA, SURVEY, FLOW, REGISTRATION)


def placed(value, places):
    """With the codes of this test's places in it."""
    if isinstance(value, dict):
        return {placed(key, places): placed(one, places) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(placed(one, places) for one in value)
    return places.get(value, value) if isinstance(value, str) else value


def answer_of(*words):
    out = io.StringIO()
    call_command(*words, "--json", stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


@pytest.fixture
def connect(kobo, kobo_url, tmp_path):
    """A project of the practice Kobo, connected as an administrator would: by command, with a file."""

    def run(kind, content, mapping):
        token = kobo.create_user(ACCOUNT)
        kobo.create_asset(ASSET, "Other mission", ACCOUNT, content)
        files = {"token": tmp_path / "token", "mapping": tmp_path / "mapping.json"}
        files["token"].write_text(token)
        files["mapping"].write_text(json.dumps(mapping))
        options = ("--asset", ASSET, "--kind", kind, "--round", "2022-Q4", "--mapping", str(files["mapping"]))
        answer = answer_of("connect_kobo", "--url", kobo_url, "--token-file", str(files["token"]), *options)
        return answer["missing"], KoboForm.objects.get()

    return run


def figures_of(submission):
    rows = Figure.objects.filter(revision=submission.approved_revision)
    found = rows.values_list("unit__unit_id", "indicator__code", "category__code", "value")
    return {(unit, indicator, category): value for unit, indicator, category, value in found}


def approve(reviewers, steps):
    """Everything that came, in order; the last of the reviewers gives the final approval."""
    submissions = list(KoboSubmission.objects.order_by("kobo_id"))
    for submission in submissions:
        for reviewer in reviewers[-steps:]:
            approve_submission(submission, reviewer=reviewer)
    return submissions


@pytest.mark.parametrize("other", FORMS, ids=lambda other: other.kind)
def test_form_of_other_names_is_planned_connected_synchronised_reviewed_and_counted(
    other, kobo, connect, vocabulary, village, other_village, coordinator, manager
):
    for code, categories in other.indicators:
        indicator = Indicator.objects.create(code=code, base="present")
        Category.objects.bulk_create(Category(indicator=indicator, code=one) for one in categories)
    kind = FormKind.objects.get(code=other.kind)
    RoundTargetFactory(round=AssessmentRoundFactory(), unit=village, form_kind=kind)
    places = {"{place}": village.unit_id, "{other}": other_village.unit_id}

    missing, _form = connect(other.kind, {"survey": other.survey}, other.mapping)
    for answers in other.forms:
        kobo.submit(ASSET, placed(answers, places), submitted_by="somebody")
    ran = answer_of("sync_kobo")["forms"][0]

    assert missing == (["hombres"] if other is SUB_AREA else [])
    assert (ran["new"], ran["refused"], ran["unmatched"], ran["closed"]) == (len(other.forms), 0, 0, True)
    assert answer_of("coverage", "2022-Q4")["buckets"]["in_review"] == 1

    approved = approve([coordinator, manager], other.steps)
    assert [figures_of(one) for one in approved] == placed(other.figures, places)
    assert answer_of("coverage", "2022-Q4")["targets"] == [
        {"unit_id": village.unit_id, "form_kind": other.kind, "bucket": "covered"}
    ]
    assert answer_of("sync_kobo")["forms"][0]["unchanged"] == len(other.forms)


# --- versions

NAMES = {"schema": 1, "head": {"unit": ["v2/place", "place"], "date": ["v2/day", "day"]}}
RENAMED = NAMES | {"figures": [{"indicator": "present", "path": ["v2/people", "total"]}]}
FIRST = {"survey": [question("place", "text"), question("day", "date"), question("total")]}
SECOND = {"survey": [question("v2/place", "text"), question("v2/day", "date"), question("v2/people")]}


@pytest.fixture
def places(vocabulary, village, other_village, district, other_district):
    """Four places, each a target for the survey."""
    kind = FormKind.objects.get(code="survey")
    found = AssessmentRoundFactory()
    units = [village, other_village, district, other_district]
    for unit in units:
        RoundTargetFactory(round=found, unit=unit, form_kind=kind)
    return [unit.unit_id for unit in units]


def series():
    return list(Figure.objects.order_by("pk").values_list("unit__unit_id", "indicator__code", "value"))


def test_question_renamed_in_version_2_keeps_the_series_whole(kobo, connect, places, manager):
    """Phones with the old form go on sending it, after the new one was deployed."""
    missing, form = connect("survey", FIRST, RENAMED)
    old = form.versions.get().uid
    kobo.submit(ASSET, {"place": places[0], "day": FIELD_DAY, "total": "5"}, submitted_by="a")
    new = kobo.deploy_version(ASSET, SECOND)
    kobo.submit(ASSET, {"v2/place": places[1], "v2/day": FIELD_DAY, "v2/people": "7"}, submitted_by="a")
    kobo.submit(ASSET, {"place": places[2], "day": FIELD_DAY, "total": "0"}, submitted_by="b", version_uid=old)

    ran = answer_of("sync_kobo")["forms"][0]
    approve([manager], 1)

    assert (missing, ran["refused"], ran["unmatched"]) == ([], 0, 0)
    assert series() == [(places[0], "present", 5), (places[1], "present", 7), (places[2], "present", 0)]
    versions = KoboSubmission.objects.order_by("kobo_id").values_list("current_revision__form_version__uid", flat=True)
    assert list(versions) == [old, new, old]


def test_version_of_another_meaning_is_read_by_its_own_mapping(kobo, connect, places, administrator, manager):
    """Version 2 asks for families under the name under which version 1 asked for people."""
    mapping = {
        "schema": 1,
        "head": {"unit": ["place"], "date": ["day"]},
        "figures": [{"indicator": "present", "path": ["total"]}],
    }
    _missing, form = connect("survey", FIRST, mapping)
    kobo.submit(ASSET, {"place": places[0], "day": FIELD_DAY, "total": "5"}, submitted_by="a")
    new = kobo.deploy_version(ASSET, {"survey": [*FIRST["survey"], question("note", "note")]})
    answer_of("sync_kobo")
    version, _made = form.versions.get_or_create(uid=new, defaults={"first_seen_at": SyncRun.objects.get().started_at})
    own = mapping | {"figures": [{"indicator": "present", "path": ["total"], "times": 4}]}
    save_mapping(version, own, opened_with=fingerprint_of(version), by=administrator)

    kobo.submit(ASSET, {"place": places[1], "day": FIELD_DAY, "total": "5"}, submitted_by="a")
    answer_of("sync_kobo")
    approve([manager], 1)

    assert series() == [(places[0], "present", 5), (places[1], "present", 20)]


# --- the shipped forms of which a place has many: the typed answers, and what the form calculates from them

AGREED = {
    "head/round": "2022-Q4",
    "head/session_date": FIELD_DAY,
    "access/access_level": "yes",
    "access/consent": "yes",
}
PERSON = {
    "access/eligible": "yes", "interview/interviewed": "1", "interview/nationality": "KG", "interview/sex": "female",
    "interview/age_group": "18_24", "interview/year_known": "yes", "interview/arrival_year": "2022",
    "interview/reason": "economic", "interview/reason_counted": "economic", "interview/migration_type": "long_term",
    "interview/type_counted": "long_term", "interview/intention": "stay",
}  # fmt: skip
SHIPPED = {
    "survey": (
        [PERSON, PERSON | {"interview/sex": "dk", "interview/nationality": "UZ"}],
        [
            {
                ("present", None): 1, ("sex", "female"): 1, ("nationality", "KG"): 1, ("arrival_year", "2022"): 1,
                ("reason", "economic"): 1, ("migration_type", "long_term"): 1,
            },
            {
                ("present", None): 1, ("sex", None): None, ("nationality", "UZ"): 1, ("arrival_year", "2022"): 1,
                ("reason", "economic"): 1, ("migration_type", "long_term"): 1,
            },
        ],
    ),
    "flow_monitoring": (
        [
            {
                "slot/hour_from": "8", "slot/hour_until": "12", "slot/anybody": "yes", "total/present_total": "9",
                "groups": [
                    {
                        "groups/direction": way, "groups/nationality": "UZ", "groups/sex_known": "yes",
                        "groups/men": men, "groups/women": "1", "groups/people": people,
                        "groups/nationality_people": people,
                    }
                    for way, men, people in (("in", "2", "3"), ("out", "5", "6"))
                ],
            },
            {"slot/hour_from": "12", "slot/hour_until": "16", "slot/anybody": "no", "total/present_total": "0"},
        ],
        [
            {("present", None): 9, ("sex", "male"): 7, ("sex", "female"): 2, ("nationality", "UZ"): 9},
            {("present", None): 0},
        ],
    ),
    "registration": (
        [
            {
                "household/household_code": "HH-014", "household/size": "6", "household/workers": "4",
                "groups": [
                    {
                        "groups/nationality": "TJ", "groups/year_known": "yes", "groups/arrival_year": year,
                        "groups/men": "1", "groups/women": "1", "groups/people": "2",
                        "groups/nationality_people": "2", "groups/year_people": "2",
                    }
                    for year in ("2021", "2022")
                ],
            },
            {"household/household_code": "HH-015", "household/size": "3", "household/workers": "0"},
        ],
        [
            {
                ("present", None): 4, ("sex", "male"): 2, ("sex", "female"): 2, ("nationality", "TJ"): 4,
                ("arrival_year", "2021"): 2, ("arrival_year", "2022"): 2,
            },
            {("present", None): 0},
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SHIPPED)
def test_shipped_form_is_deployed_synchronised_and_every_form_of_a_place_approved(
    kind, kobo, kobo_url, tmp_path, vocabulary, village, manager
):
    """All forms of a place count for it; none of them counts as a baseline."""
    typed, figures = SHIPPED[kind]
    found = AssessmentRoundFactory()
    RoundTargetFactory(round=found, unit=village, form_kind=FormKind.objects.get(code=kind))
    (tmp_path / "token").write_text(kobo.create_user(ACCOUNT))

    server = ("--url", kobo_url, "--token-file", str(tmp_path / "token"))
    deployed = answer_of("deploy_form", "--kind", kind, *server, "--round", found.code)
    for answers in typed:
        kobo.submit(deployed["asset"], AGREED | {"head/sub_area": village.unit_id} | answers, submitted_by="e01")
    ran = answer_of("sync_kobo")["forms"][0]
    approved = approve([manager], 1)

    assert (deployed["created"], deployed["connected"], deployed["changes"]) == (True, True, [])
    assert (ran["new"], ran["refused"], ran["unmatched"], ran["closed"]) == (2, 0, 0, True)
    assert [figures_of(one) for one in approved] == [
        {(village.unit_id, *key): value for key, value in one.items()} for one in figures
    ]
    assert answer_of("coverage", found.code)["buckets"]["covered"] == 1
    assert answer_of("report", found.code)["total"] == 0
