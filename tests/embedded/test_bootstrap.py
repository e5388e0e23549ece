"""From the system's Python to `.venv`: what is there already costs nothing, what cannot be is said in one line."""

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from dtm_ops.embedded import bootstrap


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the bootstrap would have started, in a project that has nothing but its requirements."""
    given: list[list[str]] = []
    (tmp_path / "requirements").mkdir()
    for name in bootstrap.PURPOSES:
        (tmp_path / "requirements" / f"{name}.txt").write_text(f"{name}==1\n")

    def call(order: list[str], **_options: object) -> int:
        given.append(order)
        if order[1:3] == ["-m", "venv"]:
            (tmp_path / ".venv" / "bin").mkdir(parents=True)
            (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
        return 0

    monkeypatch.setattr(bootstrap, "PROJECT", tmp_path)
    monkeypatch.setattr(bootstrap, "fits", lambda python: True)
    monkeypatch.setattr(subprocess, "call", call)
    return given


def prepare(purpose: str) -> None:
    with bootstrap.only_one():
        bootstrap.make_venv()
        bootstrap.install(purpose)


def installed(orders: list[list[str]]) -> list[str]:
    return [Path(order[-1]).name for order in orders if "--require-hashes" in order]


def test_first_time_makes_the_environment_and_checks_every_hash(orders: list[list[str]]) -> None:
    prepare("local")

    assert [order[1:3] for order in orders] == [["-m", "venv"], ["-m", "pip"]]
    assert installed(orders) == ["local.txt"]


def test_second_time_and_a_smaller_purpose_cost_nothing(orders: list[list[str]]) -> None:
    for purpose in ("test", "test", "local"):
        prepare(purpose)

    assert installed(orders) == ["test.txt"]


def test_larger_purpose_and_a_new_lock_install_again(orders: list[list[str]], tmp_path: Path) -> None:
    prepare("local")
    prepare("dev")
    (tmp_path / "requirements" / "dev.txt").write_text("dev==2\n")
    prepare("dev")

    assert installed(orders) == ["local.txt", "dev.txt", "dev.txt"]


def test_environment_that_was_copied_from_elsewhere_is_made_anew(orders: list[list[str]], tmp_path: Path) -> None:
    prepare("local")
    stamp = tmp_path / ".venv" / "dtm-ops.json"
    stamp.write_text(stamp.read_text().replace(str(tmp_path), "/somewhere/else"))
    prepare("local")

    assert installed(orders) == ["local.txt", "local.txt"]


def test_failed_installation_is_said_and_tried_again(orders: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    works = subprocess.call
    monkeypatch.setattr(subprocess, "call", lambda order, **options: works(order, **options) or "pip" in order)
    with pytest.raises(SystemExit, match=r"requirements/local\.txt could not be installed"):
        prepare("local")
    monkeypatch.setattr(subprocess, "call", works)
    prepare("local")

    assert installed(orders) == ["local.txt", "local.txt"]


def test_wrong_python_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "fits", lambda python: False)
    with pytest.raises(SystemExit, match=r"lacks\. On Debian and Ubuntu: apt install python3\.\d+-venv"):
        bootstrap.use_fitting_python()

    monkeypatch.setattr(bootstrap, "VERSIONS", ((2, 7),))
    with pytest.raises(SystemExit, match=r"DTM Ops needs Python 3\.11, 3\.12 or 3\.13\. .* PYTHON=/path"):
        bootstrap.use_fitting_python()


def test_locks_hold_each_other_as_the_purposes_do() -> None:
    """A superset is taken for its subset: then it must pin the same versions."""
    pins = []
    for purpose in bootstrap.PURPOSES:
        lines = (bootstrap.PROJECT / "requirements" / f"{purpose}.txt").read_text(encoding="utf-8").splitlines()
        pins.append({line.split()[0] for line in lines if "==" in line and not line.startswith((" ", "#"))})

    assert [smaller - larger for smaller, larger in itertools.pairwise(pins)] == [set(), set()]
