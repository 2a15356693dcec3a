"""Several processes on this machine, each with the network open and a layer in hand."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache

from infoflow.errors import InfoflowError
from infoflow.measuring import Measured, Measurer
from infoflow.request import Request
from infoflow.threads import allowed


class WorkerError(InfoflowError):
    """A worker process ended before its layer was done."""


def run(
    request: Request, jobs: Sequence[tuple[int, str]], workers: int
) -> Iterator[tuple[int, Measured]]:
    """Measure layers in several processes; see `infoflow.engines.Engine`.

    Processes are spawned, so a script that calls this keeps its own work under
    ``if __name__ == "__main__":``. Each uses its share of the processor's cores.

    Raises:
        InfoflowError: As the measuring of a layer raises it.
        WorkerError: The operating system ended a worker (no memory left, as a rule).
    """
    count = min(workers, len(jobs))
    threads = max(allowed() // count, 1)
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_prepare,
        initargs=(threads,),
    )
    try:
        waiting: dict[Future[Measured], tuple[int, str]] = {
            pool.submit(_measure, request, index, name): (index, name) for index, name in jobs
        }
        for done in as_completed(waiting):
            yield waiting[done][0], done.result()
    except BrokenProcessPool:
        raise WorkerError(
            f"A worker process was ended from outside (is there memory for {count} of them?); "
            "fewer --workers need less."
        ) from None
    except BaseException:
        # Nobody waits for layers that are no longer wanted.
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _prepare(threads: int) -> None:
    """In a worker, before its first layer."""
    import scipy.linalg  # noqa: F401  (brings a BLAS library of its own, to be limited too)
    from threadpoolctl import threadpool_limits

    # An interrupt reaches every process of the terminal: the parent says so, workers just end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threadpool_limits(limits=threads, user_api="blas")
    os.environ["OPENBLAS_NUM_THREADS"] = str(threads)  # which `infoflow.threads` asks


def _measure(request: Request, index: int, name: str) -> Measured:
    return _measurer(request).measure(index, name)


@lru_cache(maxsize=1)
def _measurer(request: Request) -> Measurer:
    """The network is opened once in each worker."""
    return Measurer(request)
