"""Production starts with everything it needs, or not at all and with one line that names what is missing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dtm_ops.embedded.places import PROJECT
from dtm_ops.settings import environment
from tests.production.environments import dummy_values, production


def start(words: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], env=environment, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        *[
            (name, None, f"{name} is missing from the environment")
            for name in (
                "ALLOWED_HOSTS", "SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "DATABASE_URL", "REDIS_URL", "EMAIL_URL",
                "DEFAULT_FROM_EMAIL", "SITE_ADDRESS",
            )
        ],
        *[(name, "", f"{name} is blank") for name in ("ALLOWED_HOSTS", "SECRET_KEY", "DATABASE_URL", "REDIS_URL")],
        ("SECRET_KEY", "short", "SECRET_KEY is shorter than 50 characters"),
        ("FIELD_ENCRYPTION_KEYS", ",", "FIELD_ENCRYPTION_KEYS holds no key"),
        ("FIELD_ENCRYPTION_KEYS", "a2V5", "FIELD_ENCRYPTION_KEYS holds a key that is not 32 bytes in URL-safe base64"),
        ("FIELD_ENCRYPTION_KEYS", "%", "FIELD_ENCRYPTION_KEYS holds a key that is not 32 bytes in URL-safe base64"),
        ("DATABASE_URL", "postgres://dtm@db", "DATABASE_URL names no database (postgres://user:password@host:port/name)"),
        ("DATABASE_URL", "postgres://dtm@db:port/dtm", "DATABASE_URL has a value that cannot be read (ValueError)"),
        (
            "DATABASE_URL",
            "sqlite:///dtm.sqlite3",
            "DATABASE_URL must begin with postgres:// (no other engine holds the rules of this system)",
        ),
        ("REDIS_URL", "http://redis", "REDIS_URL must begin with redis://, rediss:// or unix:// and name a server"),
        ("EMAIL_URL", "mail.example.org", "EMAIL_URL must be like smtp+tls://user:password@host:port"),
        ("EMAIL_URL", "smtp://", "EMAIL_URL names no mail server (smtp+tls://user:password@host:port)"),
        ("SITE_ADDRESS", "dtm.example.org", "SITE_ADDRESS must be like https://dtm.example.org, without a path"),
        ("SITE_ADDRESS", "https://x.org/dtm", "SITE_ADDRESS must be like https://dtm.example.org, without a path"),
        ("SECRET_KEY_FILE", "/none", "SECRET_KEY_FILE names a file that cannot be read (No such file or directory)"),
        ("SECURE_HSTS_SECONDS", "a year", "SECURE_HSTS_SECONDS has a value that cannot be read (ValueError)"),
        (
            "S3_BUCKET",
            "minio.example.org/media",
            "S3_BUCKET is the name of a bucket, without an address and without a folder (S3_PREFIX)",
        ),
        ("PROXY_COUNT", "one", "PROXY_COUNT has a value that cannot be read (ValueError)"),
    ],
)  # fmt: skip
def test_production_refuses_a_wrong_value_with_one_line(name: str, value: str | None, line: str) -> None:
    started = start(["-c", "import dtm_ops.wsgi"], production(**{name: value}))

    assert (started.returncode, started.stdout, started.stderr) == (1, "", f"DTM Ops cannot start: {line}\n")


def test_production_refuses_the_same_way_from_the_command_line_and_the_worker() -> None:
    environment = production(REDIS_URL=None)
    by_hand = start(["manage.py", "migrate"], environment)
    worker = start(["-m", "celery", "-A", "dtm_ops", "worker"], environment)

    line = "DTM Ops cannot start: REDIS_URL is missing from the environment\n"
    assert (by_hand.returncode, by_hand.stderr) == (1, line)
    assert (worker.returncode, worker.stderr.splitlines()[-1:]) == (1, [line.strip()])


def test_production_passes_the_deployment_checks() -> None:
    checked = start(["manage.py", "check", "--deploy", "--fail-level", "WARNING"], production())

    assert (checked.returncode, checked.stderr) == (0, "")


def test_secrets_may_come_from_files(tmp_path: Path) -> None:
    values, changes = dummy_values(), {}
    for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "DATABASE_URL", "REDIS_URL"):
        (tmp_path / name).write_text(f"{values[name]}\n")
        changes |= {name: None, f"{name}_FILE": str(tmp_path / name)}
    program = (
        "from django.conf import settings\n"
        "print(settings.SECRET_KEY, settings.DATABASES['default']['PORT'], settings.CELERY_BROKER_URL)"
    )

    read = start(["-c", program], production(**changes))

    assert read.stdout.split() == [values["SECRET_KEY"], "1", values["REDIS_URL"]]


@pytest.mark.parametrize(
    ("url", "queue", "cache"),
    [
        ("redis://:secret@queue:6379/0", "redis://:secret@queue:6379/3", "redis://:secret@queue:6379/4"),
        ("rediss://queue", "rediss://queue/3", "rediss://queue/4"),
        ("unix:///run/v.sock?db=7", "redis+socket:///run/v.sock?virtual_host=3", "unix:///run/v.sock?db=4"),
    ],
)
def test_one_redis_address_serves_queue_and_cache_at_their_numbers(url: str, queue: str, cache: str) -> None:
    assert environment.redis(url, broker=3, cache=4) == (queue, cache)


def test_redis_address_without_numbers_is_taken_as_it_is() -> None:
    addresses = [environment.redis(url) for url in ("redis://queue:6379/5", "unix:///run/v.sock?db=7")]

    assert addresses == [
        ("redis://queue:6379/5", "redis://queue:6379/5"),
        ("redis+socket:///run/v.sock?virtual_host=7", "unix:///run/v.sock?db=7"),
    ]


def test_database_on_a_unix_socket_is_named_by_its_folder() -> None:
    found = environment.database("postgres://dtm@%2Frun%2Fpostgresql/dtm_ops")

    assert (found["HOST"], found["NAME"], found["USER"]) == ("/run/postgresql", "dtm_ops", "dtm")


def test_production_starts_none_of_the_embedded_servers() -> None:
    program = (
        "from django.conf import settings; from dtm_ops.embedded.needs import command_needs\n"
        "print(command_needs(['migrate'], settings), settings.DEMO_ALLOWED, settings.DEBUG)"
    )

    assert start(["-c", program], production()).stdout.split() == ["[]", "False", "False"]


def test_demo_is_refused_in_production() -> None:
    refused = start(["manage.py", "demo"], production())

    assert (refused.returncode, "refused in production" in refused.stderr) == (1, True)


BUCKET = {"S3_BUCKET": "dtm-media", "S3_ENDPOINT_URL": "https://minio.example.org", "S3_PREFIX": "kz"}
KEYS = {"S3_ACCESS_KEY_ID": "a key", "S3_SECRET_ACCESS_KEY": "of no use anywhere"}


def test_bucket_keeps_the_files_and_gives_none_of_them_an_address_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("of no use anywhere\n")
    keys = {"S3_ACCESS_KEY_ID": "a key", "S3_SECRET_ACCESS_KEY_FILE": str(tmp_path / "key")}
    program = "import json; from django.conf import settings; print(json.dumps(settings.STORAGES['default']))"

    read = start(["-c", program], production(**BUCKET, **keys))

    assert json.loads(read.stdout) == {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": "dtm-media",
            "endpoint_url": "https://minio.example.org",
            "location": "kz",
            "access_key": "a key",
            "secret_key": "of no use anywhere",
            "default_acl": None,
            "querystring_auth": True,
            "custom_domain": None,
            "file_overwrite": False,
            "signature_version": "s3v4",
        },
    }


def test_without_a_bucket_files_lie_in_the_folder() -> None:
    program = "from django.conf import settings; print(settings.STORAGES['default']['BACKEND'], settings.MEDIA_ROOT)"

    read = start(["-c", program], production(S3_BUCKET="", MEDIA_ROOT="/srv/media"))

    assert read.stdout.split() == ["django.core.files.storage.FileSystemStorage", "/srv/media"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"S3_ENDPOINT_URL": "minio.example.org"}, "S3_ENDPOINT_URL must be like https://minio.example.org"),
        (
            {"S3_SECRET_ACCESS_KEY": ""},
            "S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY belong together: one of them is missing",
        ),
    ],
)
def test_bucket_that_is_half_configured_stops_the_start(changes: dict[str, str], line: str) -> None:
    started = start(["-c", "import dtm_ops.wsgi"], production(**{**BUCKET, **KEYS, **changes}))

    assert (started.returncode, started.stderr) == (1, f"DTM Ops cannot start: {line}\n")


def test_packages_of_the_bucket_are_locked_for_production() -> None:
    locked = (PROJECT / "requirements" / "production.txt").read_text(encoding="utf-8")

    assert [name for name in ("django-storages==", "boto3==") if f"\n{name}" not in locked] == []
