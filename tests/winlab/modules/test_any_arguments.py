"""Whatever a client sends as arguments, a module answers and the server lives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.winlab.modules.calls import LabClock, call_module

from winlab.host.host import Host, HostSpec
from winlab.modules.kit.registry import all_registered

TEXTS = [
    "",
    "x",
    "C:\\Windows",
    "C:\\x\\",
    "Q:\\",
    "\\\\server\\share",
    "HKLM:\\SOFTWARE\\X",
    "1",
    "a,b",
    "中",
]
SCALARS = st.one_of(
    st.sampled_from(TEXTS), st.integers(-3, 2**33), st.booleans(), st.none(), st.just(1.5)
)
HOST = Host(HostSpec(name="APP1"), LabClock())
FRESH = HOST.snapshot()
VALUES = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=2),
    st.dictionaries(
        st.sampled_from(["dest", "src", "set", "add", "type", "x"]), SCALARS, max_size=2
    ),
)


@pytest.mark.parametrize(
    "registered", list(all_registered()), ids=lambda registered: registered.name
)
@settings(max_examples=10, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(data=st.data())
def test_any_arguments_are_answered(registered: Any, data: st.DataObject) -> None:
    HOST.restore(FRESH)
    options: dict[str, Any] = {}
    for name, option in registered.spec.options.items():
        if option.required or data.draw(st.booleans(), label=name):
            choices = st.sampled_from(option.choices) if option.choices else VALUES
            options[name] = data.draw(st.one_of(choices, VALUES), label=name)
    answer = call_module(HOST, registered.name, check=data.draw(st.booleans()), **options)
    assert answer.get("failed") is not True or answer["msg"]
