from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winlab.session.mailbox import Mailbox
from winlab.wire import faults
from winlab.wire.faults import FaultError


@given(
    st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(max_size=500)), max_size=8),
    st.integers(140, 2_000),
)
def test_nothing_is_lost_and_nothing_is_too_large(
    pieces: list[tuple[str, bytes]], limit: int
) -> None:
    box = Mailbox(split=True)
    for name, data in pieces:
        box.put(name, data)
    box.close()
    got: dict[str, bytes] = {}
    while not box.drained:
        taken = box.take(limit)
        assert taken
        assert sum((len(data) + 2) // 3 * 4 for _name, data in taken) <= limit
        for name, data in taken:
            got[name] = got.get(name, b"") + data
    for stream in ("stdout", "stderr"):
        assert got.get(stream, b"") == b"".join(data for name, data in pieces if name == stream)


def test_fragments_are_never_cut() -> None:
    box = Mailbox(split=False)
    box.put("stdout", b"a" * 300)
    box.put("stdout", b"b" * 300)
    assert box.take(600) == (("stdout", b"a" * 300),)
    assert box.take(2_000) == (("stdout", b"b" * 300),)
    box.put("stdout", b"c" * 3000)
    with pytest.raises(FaultError) as caught:
        box.take(600)
    assert caught.value.fault == faults.answer_too_large()


def test_waiting_ends_with_output_the_end_or_a_fault() -> None:
    async def scenario() -> None:
        box = Mailbox(split=True)
        waiting = asyncio.create_task(box.wait(5))
        await asyncio.sleep(0)
        box.put("stdout", b"x")
        await waiting
        await box.wait(0)
        box.take(1000)
        waiting = asyncio.create_task(box.wait(5))
        await asyncio.sleep(0)
        box.close()
        await waiting
        box.fail(faults.aborted())
        with pytest.raises(FaultError) as caught:
            await box.wait(5)
        assert caught.value.fault == faults.aborted()

    asyncio.run(scenario())


def test_two_receives_may_wait_at_once() -> None:
    async def scenario() -> None:
        box = Mailbox(split=True)
        both = asyncio.gather(box.wait(5), box.wait(5))
        await asyncio.sleep(0)
        box.close()
        await both

    asyncio.run(scenario())
