"""SM2 verification written straight from GB/T 32918.2 section 7, for any curve; slow and plain.

It is held against the vector of draft-shen-sm2-ecdsa (which uses its own curve), then the library
is held against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from opsproof.signatures.sm2 import sm3

Point: TypeAlias = tuple[int, int] | None


@dataclass(frozen=True)
class Curve:
    p: int
    a: int
    b: int
    n: int
    g: tuple[int, int]

    def add(self, one: Point, two: Point) -> Point:
        if one is None or two is None:
            return two if one is None else one
        (x1, y1), (x2, y2) = one, two
        if x1 == x2 and (y1 + y2) % self.p == 0:
            return None
        if one == two:
            slope = (3 * x1 * x1 + self.a) * pow(2 * y1, -1, self.p)
        else:
            slope = (y2 - y1) * pow(x2 - x1, -1, self.p)
        x3 = (slope * slope - x1 - x2) % self.p
        return x3, (slope * (x1 - x3) - y1) % self.p

    def times(self, factor: int, point: Point) -> Point:
        total: Point = None
        while factor:
            if factor & 1:
                total = self.add(total, point)
            point = self.add(point, point)
            factor >>= 1
        return total


def identity(curve: Curve, public: tuple[int, int], signer_id: bytes) -> bytes:
    size = (curve.p.bit_length() + 7) // 8
    numbers = (curve.a, curve.b, *curve.g, *public)
    fields = b"".join(number.to_bytes(size, "big") for number in numbers)
    return sm3((len(signer_id) * 8).to_bytes(2, "big") + signer_id + fields)


def verify(
    curve: Curve, public: tuple[int, int], signer_id: bytes, message: bytes, r: int, s: int
) -> bool:
    if not (1 <= r < curve.n and 1 <= s < curve.n):
        return False
    e = int.from_bytes(sm3(identity(curve, public, signer_id) + message), "big")
    t = (r + s) % curve.n
    if t == 0:
        return False
    point = curve.add(curve.times(s, curve.g), curve.times(t, public))
    return point is not None and (e + point[0]) % curve.n == r
