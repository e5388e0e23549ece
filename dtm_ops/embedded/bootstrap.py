"""From the system's Python to a ready `.venv`: `python3 bootstrap.py PURPOSE WORD...` runs `.venv/bin/python WORD...`.

PURPOSE is local, test or dev: which of requirements/*.txt must be there, every file of it checked by its hash. What is
there already costs nothing; dev includes test, test includes local. Standard library only. The lines above `main` also
run on a Python that is too old, to say so.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

VERSIONS = ((3, 11), (3, 12), (3, 13))
PROJECT = Path(__file__).resolve().parent.parent.parent
FITS = f"import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in {VERSIONS})"


def use_fitting_python() -> None:
    """Go on under this Python if it will do, else under another of the machine, else say what is missing."""
    if fits(sys.executable):
        return
    for major, minor in reversed(VERSIONS):
        other = shutil.which(f"python{major}.{minor}")
        if other and fits(other):
            os.execv(other, [other, *sys.argv])
    found = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] in VERSIONS:
        sys.exit(
            f"DTM Ops needs the venv module, which {sys.executable} lacks. On Debian and Ubuntu: "
            f"apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        )
    sys.exit(
        f"DTM Ops needs Python 3.11, 3.12 or 3.13. {sys.executable} is {found}. "
        "Name another: make PYTHON=/path/to/python3.12"
    )


def fits(python: str) -> bool:
    silent = subprocess.DEVNULL
    return subprocess.call([python, "-c", FITS], stdin=silent, stdout=silent, stderr=silent) == 0


if __name__ == "__main__":
    use_fitting_python()

# Each holds all of the one before.
PURPOSES = ["local", "test", "dev"]


def main(purpose: str, words: list[str]) -> None:
    if sys.platform == "win32":
        sys.exit("DTM Ops runs on Linux and macOS. On Windows use WSL, or see compose.yaml.")
    with only_one():
        make_venv()
        install(purpose)
    os.chdir(PROJECT)
    os.execv(venv_python(), [str(venv_python()), *words])


class only_one:  # noqa: N801  reads as a phrase
    """Two commands that are started at once build one environment, one after the other."""

    def __enter__(self) -> None:
        import fcntl  # noqa: PLC0415  Windows has been turned away by now

        (PROJECT / "var" / "run").mkdir(parents=True, exist_ok=True)
        self.lock = os.open(PROJECT / "var" / "run" / "venv.lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self.lock, fcntl.LOCK_EX)

    def __exit__(self, *error: object) -> None:
        os.close(self.lock)


def venv_python() -> Path:
    return PROJECT / ".venv" / "bin" / "python"


def make_venv() -> None:
    """A new one where there is none, where its Python is gone or unfit, or where it was moved here from elsewhere."""
    venv = PROJECT / ".venv"
    moved = read_stamp().get("folder", str(venv)) != str(venv)
    if venv_python().exists() and not moved and fits(str(venv_python())):
        return
    if venv.is_symlink():
        sys.exit(f"{venv} is a link to something that is no fitting Python environment. Remove it and start again.")
    say(f"Making .venv with Python {platform.python_version()}.")
    shutil.rmtree(venv, ignore_errors=True)
    if subprocess.call([sys.executable, "-m", "venv", str(venv)]) != 0:
        shutil.rmtree(venv, ignore_errors=True)
        sys.exit(f"DTM Ops cannot start: {sys.executable} -m venv failed, see above.")


def install(purpose: str) -> None:
    """Install what the purpose needs and is not there. Stops with pip's own words when that fails."""
    if read_stamp().get("installed") in [[name, digest(name)] for name in PURPOSES[PURPOSES.index(purpose) :]]:
        return
    file = Path("requirements") / f"{servers_or_base(purpose)}.txt"
    say(f"Installing the packages of {file} into .venv (the first time this takes a minute).")
    order = ["-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-input", "--require-hashes"]
    if subprocess.call([str(venv_python()), *order, "--only-binary", ":all:", "-r", str(PROJECT / file)]) != 0:
        sys.exit(f"DTM Ops cannot start: the packages of {file} could not be installed, see above.")
    stamp = {"installed": [purpose, digest(purpose)], "folder": str(PROJECT / ".venv")}
    (PROJECT / ".venv" / "dtm-ops.json").write_text(json.dumps(stamp), encoding="utf-8")


def servers_or_base(purpose: str) -> str:
    """On musl (Alpine) there are no wheels of the two servers; the rest runs with outside ones."""
    if purpose == "local" and sys.platform == "linux" and platform.libc_ver()[0] != "glibc":
        say("No embedded PostgreSQL runs on this system. Set DATABASE_URL and REDIS_URL to servers of your own.")
        return "base"
    return purpose


def digest(purpose: str) -> str:
    return hashlib.sha256((PROJECT / "requirements" / f"{purpose}.txt").read_bytes()).hexdigest()


def read_stamp() -> dict:
    try:
        return dict(json.loads((PROJECT / ".venv" / "dtm-ops.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
