"""Free loopback addresses: what a lab takes from the machine.

Linux answers on all of 127.0.0.0/8 without configuration. A lab takes whole blocks 127.A.B.0/24 and
claims each by a socket bound, not listening, to the block's own first address; so two labs never
share one, whatever hosts they have.
"""

from __future__ import annotations

import contextlib
import errno
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

from winlab.estate.errors import LabError

CLAIM_PORT = 5985
HOSTS_IN_BLOCK = 250
_TRIES = 400


@dataclass
class Blocks:
    """The blocks one lab holds; ``release`` gives them back."""

    prefixes: list[str] = field(default_factory=list)
    _claims: list[socket.socket] = field(default_factory=list)

    def addresses(self, count: int) -> list[str]:
        """Return ``count`` host addresses from the blocks, .1 upwards."""
        return [
            f"{self.prefixes[number // HOSTS_IN_BLOCK]}.{number % HOSTS_IN_BLOCK + 1}"
            for number in range(count)
        ]

    def claim(self, prefix: str) -> bool:
        """Take 127.A.B if nobody has it and port 5985 of its first host is free."""
        claims = []
        for last in (0, 1):
            one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            claims.append(one)
            try:
                one.bind((f"{prefix}.{last}", CLAIM_PORT))
            except OSError as exc:
                for claim in claims:
                    claim.close()
                if exc.errno in {errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL}:
                    return False
                raise
        claims.pop().close()
        self._claims += claims
        self.prefixes.append(prefix)
        return True

    def release(self) -> None:
        """Give the blocks back."""
        for claim in self._claims:
            with contextlib.suppress(OSError):
                claim.close()
        self._claims.clear()


def _candidates(seed: str) -> Iterator[str]:
    # Seeded by the state folder: the same checkout gets the same addresses again when they are free.
    source = random.Random(seed)  # noqa: S311 - spreads labs over addresses, guards nothing
    for _ in range(_TRIES):
        yield f"127.{source.randint(16, 250)}.{source.randint(1, 250)}"


def take_blocks(hosts: int, seed: str) -> Blocks:
    """Return free blocks for so many hosts; LabError when the machine has none left."""
    blocks = Blocks()
    needed = -(-hosts // HOSTS_IN_BLOCK)
    for prefix in _candidates(seed):
        if len(blocks.prefixes) == needed:
            break
        if prefix not in blocks.prefixes:
            blocks.claim(prefix)
    if len(blocks.prefixes) < needed:
        blocks.release()
        raise LabError(
            f"no free loopback block 127.A.B.0/24 for {hosts} hosts after {_TRIES} tries",
            remedy="stop other labs, or allow binding in 127.0.0.0/8",
        )
    return blocks
