"""compose.yaml and Dockerfile, as far as they can be tried without a container engine."""

import os
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from dtm_ops.embedded.places import PROJECT


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((PROJECT / "compose.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (PROJECT / "Dockerfile").read_text(encoding="utf-8")


def test_compose_has_the_five_parts_and_one_migration(compose: dict[str, Any]) -> None:
    assert list(compose["services"]) == ["web", "worker", "beat", "migrate", "postgres", "redis"]


def test_every_lasting_part_is_watched_and_comes_back(compose: dict[str, Any]) -> None:
    lasting = {name: part for name, part in compose["services"].items() if name != "migrate"}

    assert [name for name, part in lasting.items() if not part["healthcheck"].get("test")] == []
    assert {part["restart"] for part in lasting.values()} == {"unless-stopped"}
    assert compose["services"]["migrate"]["restart"] == "no"


def test_nobody_is_root_and_nothing_can_be_written_but_volumes(compose: dict[str, Any]) -> None:
    parts = compose["services"].values()

    assert [part for part in parts if part.get("user", "root") in ("root", "0", "0:0")] == []
    assert {(part["read_only"], tuple(part["cap_drop"]), tuple(part["security_opt"])) for part in parts} == {
        (True, ("ALL",), ("no-new-privileges:true",))
    }


def test_only_the_site_is_reachable_and_only_from_this_machine(compose: dict[str, Any]) -> None:
    ports = {name: part["ports"] for name, part in compose["services"].items() if "ports" in part}

    assert ports == {"web": ["127.0.0.1:8000:8000"]}


def test_the_site_waits_for_the_migration_and_the_servers(compose: dict[str, Any]) -> None:
    waits = {"migrate": "service_completed_successfully", "postgres": "service_healthy", "redis": "service_healthy"}

    for name in ("web", "worker", "beat"):
        needs = compose["services"][name]["depends_on"]
        assert {other: need["condition"] for other, need in needs.items()} == waits


def test_secrets_come_as_files_and_never_as_values(compose: dict[str, Any]) -> None:
    environment = compose["services"]["web"]["environment"]
    by_file = {name.removesuffix("_FILE"): value for name, value in environment.items() if name.endswith("_FILE")}

    assert by_file == {
        "SECRET_KEY": "/run/secrets/secret_key",
        "FIELD_ENCRYPTION_KEYS": "/run/secrets/field_encryption_keys",
        "DATABASE_URL": "/run/secrets/database_url",
        "EMAIL_URL": "/run/secrets/email_url",
    }
    assert set(compose["services"]["web"]["secrets"]) <= set(compose["secrets"])


def test_compose_engine_reads_the_file_where_there_is_one() -> None:
    """`compose config` knows more than YAML does and needs no engine; without it the tests above have to do."""
    words = next(
        (words for words in (["docker", "compose"], ["docker-compose"]) if _answers([*words, "version"])), None
    )
    if words is not None:
        order = [*words, "--file", str(PROJECT / "compose.yaml"), "config", "--quiet"]
        told = {"SITE_ADDRESS": "https://dtm.example.org", "DEFAULT_FROM_EMAIL": "dtm@example.org"}
        environment = {"ALLOWED_HOSTS": "dtm.example.org", **told, "PATH": os.environ["PATH"]}
        read = subprocess.run(order, env=environment, capture_output=True, text=True, check=False)
        assert (read.returncode, read.stderr) == (0, "")


def _answers(words: list[str]) -> bool:
    return (
        shutil.which(words[0]) is not None and subprocess.run(words, capture_output=True, check=False).returncode == 0
    )


def test_image_checks_hashes_and_does_not_run_as_root(dockerfile: str) -> None:
    assert "--require-hashes" in dockerfile
    assert re.findall(r"^USER (.+)$", dockerfile, re.MULTILINE) == ["10001:10001"]
    assert "HEALTHCHECK" in dockerfile


def test_image_copies_only_what_exists_and_is_let_through(dockerfile: str) -> None:
    copied = [line.split()[1] for line in dockerfile.splitlines() if line.startswith("COPY ") and "--from" not in line]
    let_through = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    assert [source for source in copied if not (PROJECT / source).exists()] == []
    assert [source for source in copied if f"!{source}" not in let_through] == []
    assert let_through[1] == "*"
