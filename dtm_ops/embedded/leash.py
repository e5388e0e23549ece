"""Runs one program and never outlives the supervisor, however that ends: `python leash.py LIFELINE PROGRAM [WORD ...]`.

LIFELINE is the reading end of a pipe that the supervisor alone can write to: when it ends, even by kill -9, the pipe
closes. Then the program is asked to end, and soon its whole process group is killed, grandchildren included. The leash
leads the group and belongs to a session of its own. Standard library only: it starts in a few milliseconds.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
from types import FrameType

PATIENCE = 5.0


def main() -> int:
    lifeline = int(sys.argv[1])
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, _note)
    me = os.getpid()
    child = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, preexec_fn=lambda: _die_with(me))

    def forward(number: int, frame: FrameType | None) -> None:
        child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, forward)
    while child.poll() is None:
        ready, _, _ = select.select([lifeline, woken], [], [])
        if lifeline in ready:
            _end_group(child)
        if woken in ready:
            os.read(woken, 100)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _note(number: int, frame: FrameType | None) -> None:
    """A signal that is ignored would not wake `select`."""


def _die_with(parent: int) -> None:
    """On Linux also the death of the leash itself takes the program along."""
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415  half of this file's start-up time, and only here

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 = PR_SET_PDEATHSIG, linux/prctl.h
        if os.getppid() != parent:
            os._exit(1)  # it died before we asked


def _end_group(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(PATIENCE)
    os.killpg(os.getpgrp(), signal.SIGKILL)  # ourselves too


if __name__ == "__main__":
    sys.exit(main())
