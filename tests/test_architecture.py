"""What the whole holds itself to: directions, one writer of each status, migrations, words for every refusal."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection, models
from django.db.migrations.loader import MigrationLoader
from django.db.models.constraints import BaseConstraint

ROOT = Path(settings.BASE_DIR)
PACKAGES = ("assessments", "training", "locations", "dtm_ops")
APPS = ("accounts", "records", "locations", "training", "assessments")


def modules(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    """Path from the root, and the tree, of every module of the project below those folders."""
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in file.parts:
                yield file.relative_to(ROOT).as_posix(), ast.parse(file.read_text(encoding="utf-8"))


def test_directions_between_and_inside_apps_are_kept():
    """The contracts stand in pyproject.toml. In a program of its own: the linter silences all loggers."""
    lint = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
    done = subprocess.run([sys.executable, "-c", lint], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


# --- one writer of each status


STATUSES = {"status", "review_status"}
# It compares and swaps, and writes the history beside it.
THE_WRITER = "dtm_ops/records/services.py"
# Each calls the writer with the table of its own steps.
VERBS = {
    "assessments/services/focus_groups.py",
    "assessments/services/review.py",
    "assessments/services/rounds.py",
    "locations/services/unit_changes.py",
    "training/services/corrective.py",
    "training/services/enrolment.py",
    "training/services/roster.py",
}
WRITING_METHODS = {"update", "create", "get_or_create", "update_or_create", "save", "bulk_create", "bulk_update"}


def status_writes(tree: ast.AST) -> list[int]:
    """Lines that write a status, or might: an assignment, a queryset's verb, ``.update(**something)``."""
    return sorted({node.lineno for node in ast.walk(tree) if _writes_status(node)})


def _writes_status(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign):
        return any(_names_status(target) for target in node.targets)
    if isinstance(node, (ast.AnnAssign, ast.AugAssign)):
        return _names_status(node.target)
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name) and node.func.id == "setattr":
        return bool(STATUSES & _texts(node.args[1]))
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in WRITING_METHODS:
        return False
    return any(_passes_status(keyword, method=node.func.attr) for keyword in node.keywords) or (
        node.func.attr == "bulk_update" and any(STATUSES & _texts(argument) for argument in node.args)
    )


def _names_status(target: ast.AST) -> bool:
    return any(isinstance(part, ast.Attribute) and part.attr in STATUSES for part in ast.walk(target))


def _passes_status(keyword: ast.keyword, *, method: str) -> bool:
    if keyword.arg is None:  # **something: unless it is written out, nobody knows what is in it
        unknown = not isinstance(keyword.value, ast.Dict) and method == "update"
        return unknown or bool(STATUSES & _texts(keyword.value))
    if keyword.arg in ("update_fields", "fields", "defaults", "create_defaults"):
        return bool(STATUSES & _texts(keyword.value))
    return keyword.arg in STATUSES


def _texts(tree: ast.AST) -> set[object]:
    return {part.value for part in ast.walk(tree) if isinstance(part, ast.Constant)}


def test_status_is_written_in_one_place():
    found = {
        path: lines
        for path, tree in modules("assessments", "training", "locations", "dtm_ops/records", "dtm_ops/common")
        # Kobo's client has HTTP's status codes, and no models.
        if not path.startswith("assessments/kobo/") and (lines := status_writes(tree))
    }

    assert set(found) == {THE_WRITER}, found


def test_status_is_moved_by_its_own_services_alone():
    callers = {
        path
        for path, tree in modules(*PACKAGES)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and node.module == "dtm_ops.records.services"
        and any(alias.name.startswith("change_") for alias in node.names)
    }

    assert callers == VERBS


@pytest.mark.parametrize(
    "planted",
    [
        "submission.review_status = 'approved'",
        "a.x, a.status = 1, 2",
        "rows.filter(pk=1).update(review_status='approved')",
        "rows.update(**{'status': 'open'})",
        "rows.update(**values)",
        "row.save(update_fields=['name', 'status'])",
        "rows.bulk_update(found, ['status'])",
        "rows.bulk_create(found, update_fields=['review_status'])",
        "rows.create(status='open')",
        "rows.update_or_create(pk=1, defaults={'status': 'open'})",
        "setattr(row, 'status', 'open')",
    ],
)
def test_status_written_elsewhere_is_found(planted):
    assert status_writes(ast.parse(planted)) == [1]


@pytest.mark.parametrize(
    "harmless",
    [
        "status = 'open'",
        "rows.filter(status='open')",
        "rows.filter(status='open').update(deleted_at=None)",
        "Response({}, status=404)",
        "row.save(update_fields=['name'])",
        "rows.update_or_create(pk=1, defaults={'name': 'x'})",
    ],
)
def test_status_that_is_only_read_is_let_be(harmless):
    assert status_writes(ast.parse(harmless)) == []


# --- migrations


@pytest.mark.django_db
def test_models_and_migrations_agree():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_migrations_say_how_they_are_undone():
    loader = MigrationLoader(None, ignore_no_migrations=True)
    stuck = [
        f"{label}.{name}: {operation.describe()}"
        for (label, name), migration in sorted(loader.disk_migrations.items())
        if label in APPS
        for operation in migration.operations
        if not operation.reversible
    ]

    assert stuck == []


def describe_database() -> set[tuple[str, ...]]:
    """Columns, constraints, indexes and triggers of the tables, as PostgreSQL knows them."""
    asked = [
        "SELECT 'column', table_name, column_name, data_type, is_nullable, column_default "
        "FROM information_schema.columns WHERE table_schema = 'public'",
        "SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) "
        "FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
        "SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
        "SELECT 'trigger', tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal",
    ]
    with connection.cursor() as cursor:
        rows = [row for question in asked for row in cursor.execute(question).fetchall()]
    return {tuple(str(cell) for cell in row) for row in rows}


@pytest.mark.django_db
def test_migrations_can_be_undone_and_done_again():
    """In the test's own transaction: PostgreSQL takes back tables, too."""
    before = describe_database()

    for label in ("assessments", "training", "locations"):
        call_command("migrate", label, "zero", verbosity=0)
    tables = connection.introspection.table_names()
    left = [name for name in tables if name.startswith(("assessments_", "training_", "locations_"))]
    call_command("migrate", verbosity=0)

    assert left == []
    assert describe_database() == before


# --- words


def environment_names() -> set[str]:
    """What `settings.environment` is asked for, by the modules that a user can start."""
    names = set()
    for path, tree in modules("dtm_ops/settings"):
        if path.endswith(("/test.py", "/environment.py")):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and re.fullmatch(r"[A-Z][A-Z0-9_]+", str(first.value)):
                    names.add(str(first.value))
    return names - {"FIELD_ENCRYPTION_KEY"}  # a file of the embedded default, made in var/


def test_setting_of_the_environment_stands_in_the_readme_or_in_compose():
    told = (ROOT / "README.md").read_text(encoding="utf-8") + (ROOT / "compose.yaml").read_text(encoding="utf-8")
    names = environment_names()

    assert {"SECRET_KEY", "DATABASE_URL", "REDIS_URL", "ALLOWED_HOSTS"} <= names
    assert sorted(name for name in names if not re.search(rf"\b{name}\b", told)) == []


def test_environment_is_read_by_the_settings_alone():
    """The launcher passes its own environment on; the ways in name the settings."""
    ways_in = {"dtm_ops/celery.py", "dtm_ops/wsgi.py"}
    readers = {
        path
        for path, tree in modules(*PACKAGES)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv")
    }

    assert {path for path in readers if not path.startswith(("dtm_ops/settings/", "dtm_ops/embedded/"))} <= ways_in


def test_command_stands_in_the_readme():
    told = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = {
        file.stem
        for package in PACKAGES
        for file in (ROOT / package).rglob("management/commands/*.py")
        if file.stem != "__init__"
    }

    assert "sync_kobo" in commands
    assert sorted(name for name in commands if not re.search(rf"manage\.py {name}\b", told)) == []


# Written by machines alone: no form of ours has their columns.
MACHINES_OWN = {
    "ApiToken",
    "Figure",
    "HookDelivery",
    "KoboFormVersion",
    "KoboSubmission",
    "Notice",
    "QualityFlag",
    "StatusChange",
    "StatusPush",
    "SubmissionAttachment",
    "SubmissionRevision",
    "SyncRun",
}


def columns_of(constraint: BaseConstraint) -> set[str]:
    if isinstance(constraint, models.UniqueConstraint):
        return set(constraint.fields)
    condition = getattr(constraint, "condition", None)
    return set(condition.referenced_base_fields) if isinstance(condition, models.Q) else set()


def test_constraint_that_a_person_can_run_into_has_words():
    """Columns that no form shows (``editable=False``) are written by services, which say their own words."""
    silent = []
    for model in (model for label in APPS for model in apps.get_app_config(label).get_models()):
        if model.__name__ in MACHINES_OWN or model.__name__.endswith("Event"):
            continue
        for constraint in model._meta.constraints:
            columns = columns_of(constraint)
            typed = any(model._meta.get_field(name).editable for name in columns) if columns else True
            if typed and constraint.violation_error_message == constraint.default_violation_error_message:
                silent.append(f"{model.__name__}: {constraint.name}")

    assert silent == []
