"""Maps of files that are cut off, or whose disk fails, while they are read.

The kernel answers an access to a page that is gone with SIGBUS, which ends the process. Copying
every tensor instead is safe, and on a machine where fresh memory is dear adds 40 % to the papers'
measures of vgg16.pth. So maps are watched: a page that cannot be read becomes zeros, its map is
marked as torn, and who has read from a map asks whether it is. Only on 64-bit Linux; elsewhere
the process ends, as any that maps files does.
"""

from __future__ import annotations

import ctypes
import mmap
import signal
import sys
import weakref

import numpy as np

_Handler = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_WITH_INFORMATION = 4  # SA_SIGINFO
_CODE, _ADDRESS = 8, 16  # places of the signal's cause and of the address in siginfo_t
_FAILED = ctypes.c_void_p(-1).value  # what mmap answers where it cannot
_READ, _PRIVATE_FIXED_ANONYMOUS = 1, 0x32
_WATCHES = sys.platform == "linux" and sys.maxsize > 2**32


class _Action(ctypes.Structure):
    """C's ``struct sigaction``."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ulong * 16),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


class Extent:
    """The addresses of one map, and whether some of it could not be read."""

    def __init__(self, held: mmap.mmap) -> None:
        self.begin = np.frombuffer(held, np.uint8).ctypes.data
        self.end = self.begin + len(held)
        self.torn = False


_extents: set[Extent] = set()


def watch(held: mmap.mmap) -> Extent:
    """Watches a map for as long as it lives; ``torn`` of what it returns tells whether it holds."""
    extent = Extent(held)
    if _WATCHES:
        _extents.add(extent)
        weakref.finalize(held, _extents.discard, extent)
        if signal.getsignal(signal.SIGBUS) is signal.SIG_DFL:
            _install()
    return extent


def _install() -> None:
    """Puts our handler before the one that is there, which may be faulthandler's or a host's."""
    present = _Action()
    _libc().sigaction(signal.SIGBUS, None, ctypes.byref(present))
    if present.handler != _action.handler:
        ctypes.pointer(_previous)[0] = present
        _libc().sigaction(signal.SIGBUS, ctypes.byref(_action), None)


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (
        *(ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int),
        ctypes.c_long,
    )
    return libc


def _on_bus_error(number: int, information: int, context: int) -> None:
    """Puts zeros in the place of a map's rest, from the page that cannot be read.

    Whatever is not ours is left to the handler before us: a read is tried again, and fails under
    that one; a signal that somebody sent is sent again, and comes once this returns.

    This is Python in a signal's handler: it may be, since the signal is the answer to a read of
    a map, in the thread that reads, and nothing reads maps while it holds a lock of the memory's.
    """
    if ctypes.c_int.from_address(information + _CODE).value <= 0:
        _libc().sigaction(number, ctypes.byref(_previous), None)
        signal.raise_signal(number)
        return
    address = ctypes.c_size_t.from_address(information + _ADDRESS).value
    for extent in tuple(_extents):
        if extent.begin <= address < extent.end:
            extent.torn = True
            page = address - address % mmap.PAGESIZE
            rest = extent.end - page
            if _libc().mmap(page, rest, _READ, _PRIVATE_FIXED_ANONYMOUS, -1, 0) != _FAILED:
                return
    _libc().sigaction(number, ctypes.byref(_previous), None)


_handler = _Handler(_on_bus_error)
_action = _Action(ctypes.cast(_handler, ctypes.c_void_p).value, flags=_WITH_INFORMATION)
_previous = _Action()
"""What was there before ours."""
