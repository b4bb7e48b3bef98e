"""The chain of actions of one manifest: each takes its own and lets the rest run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from winlab.exec.envelope import Action, Envelope
from winlab.exec.outcome import Outcome
from winlab.host.host import Host
from winlab.modules.kit.context import RunContext


class WrapperError(Exception):
    """A wrapper's script threw: exec_wrapper.ps1 answers with the message as failed JSON."""


@dataclass(frozen=True)
class Chain:
    """What is left of a manifest, and in whose name it runs.

    ``seen`` is told what runs: "module NAME", "put", "fetch". ``next`` runs the rest.
    """

    envelope: Envelope
    context: RunContext
    actions: tuple[Action, ...]
    runner: Callable[[Chain], Outcome]
    seen: Callable[[str], None] = field(default=lambda _: None)

    @property
    def host(self) -> Host:
        """The host it runs on."""
        return self.context.host

    @property
    def action(self) -> Action:
        """The action to run now."""
        return self.actions[0]

    def parameter(self, name: str) -> Any:
        """A parameter of the action; raises WrapperError as PowerShell's binder when missing."""
        try:
            return self.action.params[name]
        except KeyError as error:
            raise WrapperError(
                "Cannot process command because of one or more missing mandatory parameters: "
                f"{name}."
            ) from error

    def next(self, context: RunContext | None = None, *, skip: int = 1) -> Outcome:
        """Run what follows, in another context when one is given."""
        return self.runner(
            replace(self, actions=self.actions[skip:], context=context or self.context)
        )


def failed(message: str, extra: Mapping[str, Any] | None = None) -> Outcome:
    """The failed JSON that exec_wrapper.ps1 writes, one line."""
    answer = {"failed": True, "msg": message, **(extra or {})}
    return Outcome(lines=(json.dumps(answer, ensure_ascii=False, separators=(",", ":")),), rc=1)
