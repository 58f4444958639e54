"""Which loopback port a server gets: the one it had, the usual one, or a free one. Opens nothing for long."""

from __future__ import annotations

import socket
from collections.abc import Iterable

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """True when a server could listen on the loopback port now; a listener on all addresses blocks too."""
    for address in (LOOPBACK, ""):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def choose(preferred: Iterable[int], taken: set[int]) -> int:
    """The first preferred port that is free and not in ``taken``, else any free one; adds it to ``taken``."""
    for port in preferred:
        if port and port not in taken and is_free(port):
            taken.add(port)
            return port
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            taken.add(port)
            return port
