"""A process that has torch loaded already and runs trainings in forked processes of its own.

Reads a JSON object a line: ``{"out", "set", "resume", "kill", "processes"}``;
``kill`` is ``null``, seconds
after the start, or ``EVENT:n``: SIGKILL comes at the n-th time that the run comes to ``write``
(half of a checkpoint is written), ``rename`` (it is whole, under its temporary name) or
``evaluate``; ``asked:n`` is SIGTERM in the n-th test. What the run tells is added to
``out.told``. Answers with the exit code, negative for a signal, and the seconds.
"""

from __future__ import annotations

import json
import os
import signal
import socket
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
    except KeyboardInterrupt:
        os._exit(130)
    os._exit(0)


def plant(event: str, number: str) -> None:
    """Kills this process at an event."""
    left = int(number)

    def counted() -> bool:
        nonlocal left
        left -= 1
        return left == 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGTERM if event == "asked" else signal.SIGKILL)

    if event in ("evaluate", "asked"):
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
        first, *others = fork(order)
        process = first
        if isinstance(order["kill"], int | float):
            while time.monotonic() - start < order["kill"] and not ended(process):
                time.sleep(0.002)
            if not ended(process):
                os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        code = os.waitstatus_to_exitcode(status)
        for other in others:
            code = code or os.waitstatus_to_exitcode(os.waitpid(other, 0)[1])
        print(json.dumps([code, time.monotonic() - start]), flush=True)


def fork(order: dict) -> list[int]:
    """The processes of a run, the main one first."""
    count, found = order["processes"], []
    port = free_port() if count > 1 else 0
    for rank in range(count):
        process = os.fork()
        if process == 0:
            if count > 1:
                place = {"LOCAL_RANK": rank, "NODE_RANK": 0, "MASTER_PORT": port}
                os.environ |= {name: str(value) for name, value in place.items()}
                os.environ["MASTER_ADDR"] = "127.0.0.1"
            run(order)
        found.append(process)
    return found


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def ended(process: int) -> bool:
    """Whether it ended, without forgetting it."""
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


if __name__ == "__main__":
    main()
