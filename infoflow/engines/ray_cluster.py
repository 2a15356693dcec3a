"""Workers on a Ray cluster; the checkpoint must be readable under the same path on every node."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from typing import Any

from infoflow.errors import InfoflowError, MissingDependencyError, first_line
from infoflow.measuring import Measured, Measurer
from infoflow.request import Request

_PATIENCE = 10.0
"""Seconds to wait for a cluster's answer."""


class ClusterError(InfoflowError):
    """The cluster cannot be reached, or lost a worker."""


def run(
    request: Request, jobs: Sequence[tuple[int, str]], workers: int
) -> Iterator[tuple[int, Measured]]:
    """Measure layers on a Ray cluster; see `infoflow.engines.Engine`.

    Connects to the cluster that the variable RAY_ADDRESS names; without it, starts Ray on this
    machine alone for the time of the run. Each worker takes one core.

    Raises:
        InfoflowError: As the measuring of a layer raises it.
        MissingDependencyError: Ray is not installed.
        ClusterError: The cluster cannot be reached, or a worker was lost.
    """
    ray = _ray()
    started = _connect(ray, workers)
    try:
        worker = ray.remote(num_cpus=1)(Measurer)
        actors = [worker.remote(request) for _ in range(min(workers, len(jobs)))]
        waiting: dict[Any, tuple[int, Any]] = {}
        rest = iter(jobs)
        for actor in actors:
            _submit(waiting, actor, rest)
        while waiting:
            (done,), _ = ray.wait(list(waiting), num_returns=1)
            index, actor = waiting.pop(done)
            _submit(waiting, actor, rest)
            yield index, ray.get(done)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, InfoflowError):
            raise error.cause from None
        raise
    except ray.exceptions.RayError as error:
        raise ClusterError(f"Ray lost a worker: {first_line(error)}") from None
    finally:
        if started:
            ray.shutdown()


def _submit(
    waiting: dict[Any, tuple[int, Any]], actor: Any, rest: Iterator[tuple[int, str]]
) -> None:
    """Give an idle worker the next layer, if there is one."""
    job = next(rest, None)
    if job is not None:
        waiting[actor.measure.remote(*job)] = (job[0], actor)


def _ray() -> Any:
    # Nothing is reported to anybody, and no accelerator is hidden from a worker without one.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise MissingDependencyError(
            "--engine ray needs Ray, which is not installed: pip install 'infoflow[ray]'."
        ) from None
    return ray


def _connect(ray: Any, workers: int) -> bool:
    """Connect to a cluster; whether this process did, and not the caller before."""
    if ray.is_initialized():
        return False
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address := os.environ.get("RAY_ADDRESS"):
            _knock(address)
            ray.init(**quiet)
        else:
            # Ray would end workers where the machine's memory is full, whoever fills it.
            os.environ.setdefault("RAY_memory_monitor_refresh_ms", "0")
            ray.init(
                address="local",
                num_cpus=workers,
                include_dashboard=False,
                _node_ip_address="127.0.0.1",
                **quiet,
            )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise ClusterError(f"Ray cannot be reached: {first_line(error)}") from None
    return True


def _knock(address: str) -> None:
    """Fail at once where nobody listens; Ray itself tries for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE):
            pass
