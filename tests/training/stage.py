"""A process that has torch loaded already and runs trainings in forked processes of its own.

Reads a JSON object a line: ``{"out", "set", "resume", "kill"}``; ``kill`` is ``null``, seconds
after the start, or ``EVENT:n``: SIGKILL comes at the n-th time that the run comes to ``write``
(half of a checkpoint is written), ``rename`` (it is whole, under its temporary name) or
``evaluate``. What the run tells is added to
``out.told``. Answers with the exit code, negative for a signal, and the seconds.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import lightning_fabric
import tensorboardX
import torchmetrics

from infoflow.errors import InfoflowError
from infoflow.training import atomic, checkpointing, loop, train
from tests.training.runs import settings


def run(order: dict) -> None:
    """In the forked process."""
    os.setsid()
    if isinstance(order["kill"], str):
        plant(*order["kill"].split(":"))
    with Path(f"{order['out']}.told").open("a") as told:
        _train(order, lambda sentence: print(sentence, file=told, flush=True))


def _train(order: dict, telling) -> None:
    try:
        train(settings(*order["set"]), order["out"], resume=order["resume"], telling=telling)
    except InfoflowError as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(2)
    os._exit(0)


def plant(event: str, number: str) -> None:
    """Kills this process at an event."""
    left = int(number)

    def counted() -> bool:
        nonlocal left
        left -= 1
        return left == 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if event == "evaluate":
        before = loop.evaluate

        def evaluate(job):
            found = before(job)
            if counted():
                die()
            return found

        loop.evaluate = evaluate
        return
    save = atomic.save

    def saving(writing, place):
        def half(temporary: Path) -> None:
            writing(temporary)
            if event == "write":
                with temporary.open("r+b") as file:
                    file.truncate(temporary.stat().st_size // 2)
            die()

        due = place("0" * 64).suffix == ".pt" and counted()
        return save(half if due else writing, place)

    checkpointing.atomic.save = saving


LOADED = (lightning_fabric, tensorboardX, torchmetrics)
"""What takes long to import, and is there for every run."""


def main() -> None:
    """Serves orders until there are no more."""
    for line in sys.stdin:
        order = json.loads(line)
        start = time.monotonic()
        process = os.fork()
        if process == 0:
            run(order)
        if isinstance(order["kill"], int | float):
            while time.monotonic() - start < order["kill"] and not ended(process):
                time.sleep(0.002)
            if not ended(process):
                os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        code = os.waitstatus_to_exitcode(status)
        print(json.dumps([code, time.monotonic() - start]), flush=True)


def ended(process: int) -> bool:
    """Whether it ended, without forgetting it."""
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


if __name__ == "__main__":
    main()
