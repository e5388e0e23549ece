"""A walk over every address of the site, by every method, as nobody and as everybody of the cast.

What is not declared here is refused: a new address, verb or admin page fails the walk until its line stands in the
table. The addresses name real rows, all in Almaty region.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from rest_framework.throttling import UserRateThrottle

from assessments.models import HookDelivery, Indicator, KoboFormVersion, MatchAlias, StatusPush
from assessments.services.kobo_hooks import open_hook
from assessments.services.review import return_submission
from dtm_ops.accounts.models import ApiToken, User, issue_token
from dtm_ops.records.models import Notice, Receipt, StatusChange
from locations.models import GazetteerUpdate, UnitScope
from locations.services.field_proposals import propose_field_change
from tests.factories.assessments import make_attachment
from tests.factories.locations import BoundaryFactory
from tests.factories.training import CheckFactory, EnumeratorFactory, TeamFactory
from tests.world import make_world
from training.models import Absence, Course, Enumerator
from training.services.invitation_mails import invitation_token
from training.services.presence_links import presence_path

pytestmark = pytest.mark.django_db

Names = frozenset[str]


def names(*some: str) -> Names:
    return frozenset(some)


NOBODY = names()
ADMINISTRATOR = names("administrator")
MANAGER = names("manager")
# Almaty region is `coordinator`'s, and `enumerator` is at home there; the others of their kind belong to Mangystau.
OWN_COORDINATOR = names("coordinator")
COORDINATORS = names("coordinator", "other_coordinator")
DESK = ADMINISTRATOR | MANAGER | COORDINATORS
OWN_DESK = DESK - names("other_coordinator")
OWN_ENUMERATOR = names("enumerator")
ENUMERATORS = names("enumerator", "other_enumerator")
ROLES = DESK | ENUMERATORS
SIGNED_IN = ROLES | names("stranger")
EVERYBODY = SIGNED_IN | names("anonymous")

SAFE = ("get", "head", "options")
UNSAFE = ("post", "put", "patch", "delete")


@dataclass(frozen=True)
class Rule:
    """Who may read (GET, HEAD) and who may write (POST); everybody else is refused. ``beyond``: for whom the row in
    the address is out of reach, and therefore not found.
    """

    read: Names = NOBODY
    write: Names = NOBODY
    beyond: Names = NOBODY


@dataclass(frozen=True)
class Desk:
    """The admin pages of one model: who opens the list (``view``), who reaches the row that the walk names, and who
    may do what with it. ``more``: further pages by the end of their names.
    """

    view: Names = DESK
    row: Names = OWN_DESK
    add: Names = NOBODY
    change: Names = NOBODY
    delete: Names = NOBODY
    verbs: Mapping[str, Names] = field(default_factory=dict)
    more: Mapping[str, Rule] = field(default_factory=dict)

    def rules(self) -> Iterator[tuple[str, Rule]]:
        beyond = self.view - self.row
        yield "changelist", Rule(self.view, self.view)
        yield from ((f"{name} in the list", Rule(self.view, who)) for name, who in self.verbs.items())
        yield "delete_selected in the list", Rule(self.view, self.delete)
        yield "add", Rule(self.add, self.add)
        yield "history", Rule(self.row, self.row, beyond)
        yield "change", Rule(self.row, self.change, beyond)
        yield "delete", Rule(self.delete, self.delete, beyond & self.delete)
        yield "shortcut", Rule(DESK, DESK)  # leads any number to the page of the row, and that one looks
        yield from ((f"verb {name}", Rule(who, who, beyond)) for name, who in self.verbs.items())
        yield from self.more.items()


ROSTER = ADMINISTRATOR | COORDINATORS
OWN_ROSTER = ADMINISTRATOR | OWN_COORDINATOR
ROUND = ADMINISTRATOR | MANAGER
REVIEW = MANAGER | OWN_COORDINATOR
OWN_REVIEW = REVIEW | ADMINISTRATOR


def table_pages(who: Names) -> dict[str, Rule]:
    """Import and export of a list."""
    return {
        "import_template": Rule(who, who),
        # Of one's own import of a moment ago: of this row there is none.
        "import_faults": Rule(beyond=who),
        "import_receipt": Rule(beyond=who),
        "import": Rule(who, who),
        "process_import": Rule(NOBODY, who),
        "export": Rule(DESK, DESK),
    }


# Design, section 8.
ADMIN: dict[str, Desk] = {
    "locations_adminunit": Desk(
        add=ADMINISTRATOR,
        change=ADMINISTRATOR,
        verbs=dict.fromkeys(["close", "merge"], ADMINISTRATOR),
        more={"export_csv": Rule(DESK), "export_xlsx": Rule(DESK)},
    ),
    "locations_boundary": Desk(
        delete=ADMINISTRATOR, more={"import": Rule(ADMINISTRATOR, ADMINISTRATOR), "missing": Rule(DESK)}
    ),
    "locations_gazetteerupdate": Desk(
        row=DESK,
        add=ADMINISTRATOR,
        verbs=dict.fromkeys(["accept_open", "refuse_open"], ADMINISTRATOR),
    ),
    "locations_unitchange": Desk(add=DESK, verbs=dict.fromkeys(["accept", "refuse", "undo", "reopen"], ADMINISTRATOR)),
    "locations_unitscope": Desk(add=ADMINISTRATOR, change=ADMINISTRATOR, delete=ADMINISTRATOR),
    "accounts_user": Desk(
        view=ADMINISTRATOR,
        row=ADMINISTRATOR,
        add=ADMINISTRATOR,
        change=ADMINISTRATOR,
        more={"password_change": Rule(ADMINISTRATOR, ADMINISTRATOR)},
    ),
    "accounts_apitoken": Desk(
        view=ADMINISTRATOR, row=ADMINISTRATOR, add=ADMINISTRATOR, verbs={"revoke": ADMINISTRATOR}
    ),
    "training_enumerator": Desk(
        add=ROSTER,
        change=OWN_ROSTER,
        verbs=dict.fromkeys(["set_aside", "take_back", "leave", "merge", "follow_place"], OWN_ROSTER),
        more={**table_pages(ROSTER), "duplicates": Rule(DESK, ROSTER)},
    ),
    "training_team": Desk(
        add=ROSTER, change=OWN_ROSTER, verbs=dict.fromkeys(["hand_over", "follow_place"], OWN_ROSTER)
    ),
    "training_absence": Desk(add=ROSTER, change=OWN_ROSTER, delete=OWN_ROSTER),
    "training_certificate": Desk(verbs={"revoke": OWN_ROSTER}),
    "training_testattempt": Desk(verbs={"correct": OWN_ROSTER}, more=table_pages(ROSTER)),
    "training_correctivetask": Desk(add=ROSTER, verbs=dict.fromkeys(["check", "cancel", "reopen"], OWN_ROSTER)),
    "training_formkind": Desk(row=DESK, add=ADMINISTRATOR, change=ADMINISTRATOR),
    "training_course": Desk(row=DESK, add=ADMINISTRATOR, change=ADMINISTRATOR, verbs={"open": ROSTER}),
    "training_trainingsession": Desk(
        add=ROSTER,
        change=OWN_ROSTER,
        verbs=dict.fromkeys(["enrol", "invite", "certify"], OWN_ROSTER),
        more=dict.fromkeys(
            ["attendance", "attendance_sheet", "attendance_import", "people", "agenda", "scores"],
            Rule(OWN_DESK, OWN_ROSTER, names("other_coordinator")),
        ),
    ),
    "assessments_assessmentround": Desk(
        row=DESK, add=ROUND, change=ROUND, verbs=dict.fromkeys(["open", "close"], ROUND)
    ),
    "assessments_roundtarget": Desk(
        add=ROUND,
        change=ROUND,
        verbs=dict.fromkeys(["exclude", "inaccessible", "shortfall", "reopen"], ROUND),
        more=table_pages(ROUND),
    ),
    "assessments_focusgroupsession": Desk(
        add=ROSTER,
        change=OWN_ROSTER,
        verbs=dict.fromkeys(["assign", "withdraw", "move", "held", "cancel"], OWN_ROSTER),
    ),
    "assessments_kobosubmission": Desk(
        verbs={
            **dict.fromkeys(["approve", "return", "reject", "take_over", "keep_ours"], REVIEW),
            **dict.fromkeys(["match", "name_enumerator"], REVIEW | ADMINISTRATOR),
        },
        # What a coordinator may settle or read again is asked of each row.
        more={"to_match": Rule(DESK, DESK), "unreadable": Rule(DESK, DESK), "phones": Rule(DESK, DESK)},
    ),
    "assessments_matchalias": Desk(row=DESK, verbs={"take_back": OWN_REVIEW}),
    "assessments_koboserver": Desk(row=DESK),
    "assessments_koboform": Desk(
        row=DESK,
        change=ADMINISTRATOR,
        verbs={
            **dict.fromkeys(["sync", "sync_full", "stop", "push_again"], DESK),
            **dict.fromkeys(["let_through", "send_list", "read_again"], ADMINISTRATOR),
        },
        more={"live": Rule(DESK), "mapping": Rule(DESK, ADMINISTRATOR), "notices": Rule(ADMINISTRATOR, ADMINISTRATOR)},
    ),
    # Bodies of notices hold answers of any region.
    "assessments_hookdelivery": Desk(view=ROUND, row=ROUND),
    "assessments_koboformversion": Desk(row=DESK, change=ADMINISTRATOR),
    "assessments_syncrun": Desk(row=DESK),
    "assessments_statuspush": Desk(verbs={"retry": OWN_DESK}),
    "assessments_indicator": Desk(row=DESK),
    "records_notice": Desk(view=ADMINISTRATOR, row=ADMINISTRATOR, verbs={"retry": ADMINISTRATOR}),
    "records_statuschange": Desk(view=ROUND, row=ROUND),
}

API_LISTS_OF_DESK = ("target", "kobo-form", "sync-run")
API_LISTS_OF_ALL = (
    "unit",
    "enumerator",
    "certificate",
    "training-session",
    "form-kind",
    "round",
    "focus-group",
    "submission",
)
OTHERS = names("other_coordinator", "other_enumerator")

ROUTES: dict[str, Rule] = {
    "admin:index": Rule(DESK, DESK),
    "admin:app_list": Rule(DESK, DESK),
    "admin:login": Rule(EVERYBODY, EVERYBODY),
    # Who has no desk is led to its door.
    "admin:logout": Rule(SIGNED_IN - DESK, SIGNED_IN),
    "admin:password_change": Rule(DESK, DESK),
    "admin:password_change_done": Rule(DESK),
    "admin:jsi18n": Rule(DESK),
    "admin:autocomplete": Rule(DESK),
    "admin:view_on_site": Rule(),
    "admin/(?P<url>.*)$": Rule(),
    # Pages.
    "login": Rule(EVERYBODY, EVERYBODY),
    "logout": Rule(NOBODY, SIGNED_IN),
    "change_password": Rule(SIGNED_IN, SIGNED_IN),
    "home": Rule(SIGNED_IN),
    "my_work": Rule(ENUMERATORS),
    "open_form": Rule(OWN_ENUMERATOR, beyond=names("other_enumerator")),
    "my_places": Rule(ROLES),
    "my_place_new": Rule(ROLES, ROLES),
    "place_photo": Rule(OWN_DESK | OWN_ENUMERATOR, beyond=OTHERS),
    "attachment": Rule(OWN_DESK | OWN_ENUMERATOR, beyond=OTHERS),
    "edit_returned": Rule(OWN_ENUMERATOR, beyond=names("other_enumerator")),
    "person": Rule(OWN_DESK | OWN_ENUMERATOR, beyond=names("other_coordinator", "other_enumerator")),
    "person_receipt": Rule(OWN_DESK | OWN_ENUMERATOR, beyond=names("other_coordinator", "other_enumerator")),
    "current_coverage": Rule(DESK),
    "coverage": Rule(DESK),
    "coverage_targets": Rule(DESK),
    "current_report": Rule(DESK),
    "report": Rule(DESK),
    "report_region": Rule(OWN_DESK, beyond=names("other_coordinator")),
    # Whoever has the link is the person, or is in the room.
    "training_invitation": Rule(EVERYBODY, EVERYBODY),
    "training_here": Rule(EVERYBODY, EVERYBODY),
    "training_attendance": Rule(OWN_ROSTER, OWN_ROSTER, SIGNED_IN - OWN_ROSTER),
    "training_sheet": Rule(OWN_ROSTER, beyond=SIGNED_IN - OWN_ROSTER),
    "choose_language": Rule(NOBODY, EVERYBODY),
    "health": Rule(EVERYBODY),
    # Kobo's notices: nothing without the secret, which no person has in a browser.
    "kobo_hook": Rule(),
    "verify": Rule(EVERYBODY),
    "verify_certificate": Rule(EVERYBODY),
    "certificate_pdf": Rule(OWN_DESK | OWN_ENUMERATOR, beyond=OTHERS),
    "training_certificates": Rule(OWN_DESK, beyond=names("other_coordinator")),
    # The API: nothing is written.
    "api-root": Rule(ROLES),
    "schema": Rule(SIGNED_IN),
    "docs": Rule(SIGNED_IN),
    "api-nowhere": Rule(),
    **{f"{name}-list": Rule(DESK) for name in API_LISTS_OF_DESK},
    **{f"{name}-list": Rule(ROLES) for name in API_LISTS_OF_ALL},
    "unit-export": Rule(ROLES),
    "unit-detail": Rule(OWN_DESK | OWN_ENUMERATOR, beyond=OTHERS),
    "unit-boundary": Rule(OWN_DESK | OWN_ENUMERATOR, beyond=OTHERS),
    "target-detail": Rule(OWN_DESK, beyond=names("other_coordinator")),
    "kobo-form-detail": Rule(DESK),
    "sync-run-detail": Rule(DESK),
    "form-kind-detail": Rule(ROLES),
    "round-detail": Rule(DESK | OWN_ENUMERATOR, beyond=names("other_enumerator")),
    "round-coverage": Rule(DESK),
    "round-report": Rule(DESK),
    **{
        f"{name}-detail": Rule(OWN_DESK | OWN_ENUMERATOR, beyond=OTHERS)
        for name in ("enumerator", "certificate", "training-session", "focus-group", "submission")
    },
}
for _page, _desk in ADMIN.items():
    ROUTES |= {f"admin:{_page} {_name}": _rule for _name, _rule in _desk.rules()}

# Kobo is not there in this test: the page says so in words.
MAY_FAIL_OUTSIDE = {"edit_returned": {502, 503}}
# The language is not in the request: the page says so.
MAY_BE_UNREADABLE = {"choose_language"}


# --- the addresses


@dataclass(frozen=True)
class Stop:
    """One address of the walk. ``rule`` names its line in the table; ``data`` is what an attacker would post."""

    rule: str
    address: str
    data: Mapping[str, str] = field(default_factory=lambda: {"confirmed": "1", "post": "yes"})
    methods: tuple[str, ...] = SAFE + UNSAFE


def all_routes(resolver: Any = None, prefix: str = "", namespace: str = "") -> Iterator[tuple[str, str]]:
    """Name and pattern of every address; the pattern twice where it has no name."""
    for one in (resolver or get_resolver()).url_patterns:
        pattern = prefix + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from all_routes(one, pattern, f"{namespace}{one.namespace}:" if one.namespace else namespace)
        elif isinstance(one, URLPattern):
            yield (f"{namespace}{one.name}" if one.name else pattern), pattern


def admin_stop(name: str, pattern: str, rows: Mapping[str, int]) -> Iterator[Stop]:
    """Pages of the admin site that belong to a model, each verb on its own."""
    app, model, rest = pattern.removeprefix("admin/").split("/", 2)
    key = rows[model]
    page = name.removeprefix(f"admin:{app}_{model}_")
    start = f"/admin/{app}/{model}/"
    verbs = {verb.name for verb in getattr(registered(app, model), "verbs", ())}
    if page == "verb":
        yield from (Stop(f"admin:{app}_{model} verb {verb}", f"{start}{key}/do/{verb}/") for verb in sorted(verbs))
        yield Stop("api-nowhere", f"{start}{key}/do/nonsense/")
        return
    if page == "changelist":
        yield Stop(f"admin:{app}_{model} changelist", start)
        for verb in sorted(verbs | {"delete_selected"}):
            data = {"action": verb, "_selected_action": str(key), "confirmed": "1", "post": "yes"}
            yield Stop(f"admin:{app}_{model} {verb} in the list", start, data, ("post",))
        return
    if name == pattern:
        page = "shortcut"
    elif name == "admin:auth_user_password_change":
        page = "password_change"
    address = rest.replace("<path:object_id>", str(key)).replace("<id>", str(key))
    yield Stop(f"admin:{app}_{model} {page}", start + address)


def registered(app: str, model: str) -> Any:
    return next(page for one, page in admin.site._registry.items() if one._meta.label_lower == f"{app}.{model}")


def stops(rows: Mapping[str, int], places: Mapping[str, Mapping[str, Any]]) -> Iterator[Stop]:
    """Every address; a KeyError names what the walk has no row for."""
    fixed = {
        "admin/(?P<url>.*)$": "/admin/nonsense/",
        "api-nowhere": "/api/v1/nonsense/",
        "admin:autocomplete": "/admin/autocomplete/?app_label=training&model_name=certificate&field_name=enumerator",
    }
    for name, pattern in all_routes():
        if re.match(r"admin/[a-z]+/[a-z]+/", pattern) and name not in fixed and "jsi18n" not in name:
            yield from admin_stop(name, pattern, rows)
        elif name in fixed:
            yield Stop(name, fixed[name])
        else:
            needs = "<" in pattern
            yield Stop(name, reverse(name, kwargs=dict(places[name]) if needs else None))


@pytest.fixture
def walk(village, enumerator, other_village, sub_area, region, administrator, manager, stranger):
    """Every address, with a row of Almaty region in it."""
    world = make_world(village, enumerator, kind=sub_area)
    return_submission(world.submission, reviewer=manager, reason="other", text="Look again")
    world.form.web_form_url = "https://ee.example.org/x/form"
    world.form.save(update_fields=["web_form_url"])
    attempt = CheckFactory(corrective_task__enumerator=enumerator)
    now = datetime(2023, 1, 1, tzinfo=UTC)
    issue_token(stranger, name="a program")
    about = ContentType.objects.get_for_model(Enumerator)
    receipt = Receipt.objects.create(kind="leave", subject_type=about, subject_id=enumerator.pk, title="Left")
    photo = ContentFile(b"\xff\xd8\xff\xe0 a picture", name="sign.jpg")
    seen = propose_field_change("closed", by=enumerator.user, unit=village, reason="Nobody lives there", photo=photo)
    rows = {
        "adminunit": village.pk,
        "boundary": BoundaryFactory(unit=village).pk,
        "gazetteerupdate": GazetteerUpdate.objects.create(title="2024", effective_on=date(2024, 1, 1)).pk,
        "unitchange": seen.pk,
        "unitscope": UnitScope.objects.get(user=enumerator.user).pk,
        "user": stranger.pk,
        "apitoken": ApiToken.objects.get().pk,
        "enumerator": enumerator.pk,
        "team": TeamFactory(unit=village).pk,
        "absence": Absence.objects.create(enumerator=enumerator, first_day=now.date(), last_day=now.date()).pk,
        "certificate": world.certificate.pk,
        "formkind": sub_area.pk,
        "testattempt": attempt.pk,
        "correctivetask": attempt.corrective_task_id,
        "course": Course.objects.create(code="baseline", names={"en": "Baseline"}).pk,
        "trainingsession": world.training_session.pk,
        "assessmentround": world.round.pk,
        "roundtarget": world.target.pk,
        "focusgroupsession": world.focus_group.pk,
        "koboserver": world.form.server_id,
        "koboform": world.form.pk,
        "koboformversion": KoboFormVersion.objects.create(form=world.form, uid="v1", first_seen_at=now).pk,
        "kobosubmission": world.submission.pk,
        "matchalias": MatchAlias.objects.create(
            round=world.round, kind="place", typed="Zhandossov", key="žandosov", target=world.target
        ).pk,
        "syncrun": world.run.pk,
        "statuspush": StatusPush.objects.get().pk,
        "hookdelivery": HookDelivery.objects.create(form=world.form, received_at=now, kobo_id=1, body="{}").pk,
        "indicator": Indicator.objects.get(code="sex").pk,
        "statuschange": StatusChange.objects.get().pk,
        "notice": Notice.objects.create(key="one", to="a@example.org", subject="Subject", body="Text").pk,
    }
    group, code = {"code": world.focus_group.code}, {"code": world.round.code}
    places = {
        "admin:view_on_site": {"content_type_id": 1, "object_id": 1},
        "admin:app_list": {"app_label": "training"},
        "training_invitation": {"token": invitation_token(world.training_session.enrolments.get())},
        "training_here": {"token": presence_path(world.training_session.half_days.get()).split("/")[-2]},
        "training_attendance": {"code": world.training_session.code},
        "training_sheet": {"code": world.training_session.code},
        "place_photo": {"pk": seen.pk},
        "attachment": {"pk": make_attachment(world.submission, content=b"\x89PNG\r\n\x1a\n").pk},
        "kobo_hook": {"path": open_hook(world.form, by=administrator).hook_path},
        "open_form": group,
        "person": {"code": enumerator.code},
        "person_receipt": {"code": enumerator.code, "pk": receipt.pk},
        "edit_returned": {"kobo_id": world.submission.kobo_id},
        "coverage": code,
        "coverage_targets": code,
        "report": code,
        "report_region": {**code, "unit_id": region.unit_id},
        "unit-detail": {"unit_id": village.unit_id},
        "unit-boundary": {"unit_id": village.unit_id},
        "enumerator-detail": {"code": enumerator.code},
        "certificate-detail": {"serial": world.certificate.serial},
        "verify_certificate": {"serial": world.certificate.serial},
        "certificate_pdf": {"serial": world.certificate.serial},
        "training_certificates": {"code": world.training_session.code},
        "training-session-detail": {"code": world.training_session.code},
        "form-kind-detail": {"code": sub_area.code},
        "round-detail": code,
        "round-coverage": code,
        "round-report": code,
        "target-detail": {"pk": world.target.pk},
        "focus-group-detail": group,
        "submission-detail": {"pk": world.submission.pk},
        "kobo-form-detail": {"pk": world.form.pk},
        "sync-run-detail": {"pk": world.run.pk},
    }
    return list(stops(rows, places))


# --- the walk


WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|COPY|TRUNCATE|MERGE)\b", re.IGNORECASE)
# Who is logged in, and what a message says to them, is no row of the product.
SESSION = re.compile(r'"?django_session"?|"?axes_')


@dataclass(frozen=True)
class Answer:
    status: int
    where: str
    written: tuple[str, ...]

    @property
    def is_refused(self) -> bool:
        sent_to_log_in = self.status == 302 and self.where.startswith(("/log-in/?next=", "/admin/login/?next="))
        return sent_to_log_in or self.status in (401, 403, 404, 405)


def knock(client: Client, method: str, stop: Stop, data: Mapping[str, str]) -> Answer:
    """Ask, look what was written, and take it back; who logged out or changed is logged in again."""
    cookies = client.cookies.copy()
    connection.queries_log.clear()  # it holds 9,000, and the walk asks more
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        response = getattr(client, method)(stop.address, data if method in ("get", "head", "post") else "")
        if response.streaming:
            list(response.streaming_content)
        transaction.set_rollback(True)
    client.cookies = cookies
    written = tuple(
        query["sql"] for query in queries if WRITES.match(query["sql"]) and not SESSION.search(query["sql"])
    )
    return Answer(response.status_code, response.headers.get("Location", ""), written)


def judge(client: Client, who: str, stop: Stop, rule: Rule) -> Iterator[str]:
    """What is wrong at one address, for one person."""
    outside = MAY_FAIL_OUTSIDE.get(stop.rule, set())
    for method in stop.methods:
        may = who in (rule.read if method in ("get", "head") else rule.write if method == "post" else NOBODY)
        data = {} if may or method in ("get", "head") else stop.data
        answer = knock(client, method, stop, data)
        told = f"{method.upper()} {stop.address} ({stop.rule}) as {who}: {answer.status} {answer.where}"
        if answer.status >= 500 and answer.status not in outside:
            yield f"{told}, broken"
        if may and answer.is_refused:
            yield f"{told}, refused"
        if not may and answer.written:
            yield f"{told}, wrote {answer.written[0][:200]}"
        if method in ("get", "head") and not may and not answer.is_refused:
            yield f"{told}, opened"
        if who not in rule.read | rule.write and not answer.is_refused:
            yield f"{told}, opened"
        if method == "get" and who in rule.beyond and answer.status != 404:
            yield f"{told}, not 404"


@pytest.fixture
def other_enumerator(make_user, other_village, other_region, sub_area):
    user: User = make_user("other_enumerator", role="enumerator", unit=other_region)
    EnumeratorFactory(code="E02", home_unit=other_village, user=user)
    return user


def test_address_stands_in_the_table(walk):
    declared, met = set(ROUTES), {stop.rule for stop in walk}

    assert sorted(met - declared) == []
    assert sorted(declared - met) == []


@pytest.mark.parametrize("who", sorted(EVERYBODY))
def test_address_opens_to_whom_it_is_declared_and_to_nobody_else(
    client, walk, who, request, other_enumerator, monkeypatch, caplog
):
    caplog.set_level(logging.CRITICAL, logger="django.request")  # thousands of refusals are what is asked for
    monkeypatch.setattr(UserRateThrottle, "rate", None, raising=False)
    if who != "anonymous":
        person = request.getfixturevalue(who)
        client.force_login(getattr(person, "user", person))

    wrong = [line for stop in walk for line in judge(client, who, stop, ROUTES[stop.rule])]

    assert not wrong, "\n".join(wrong)


def test_nobody_reads_more_than_the_door_the_language_the_health_and_what_a_serial_or_a_link_opens():
    """Static files are served by WhiteNoise, before any address."""
    open_to_all = {name for name, rule in ROUTES.items() if "anonymous" in rule.read | rule.write}

    assert open_to_all == {
        "login", "admin:login", "choose_language", "health", "verify", "verify_certificate",
        "training_invitation", "training_here",
    }  # fmt: skip
    assert settings.MIDDLEWARE.count("django.contrib.auth.middleware.LoginRequiredMiddleware") == 1
