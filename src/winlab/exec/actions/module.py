"""module_wrapper.ps1: an emulated module, or a file that the ``script`` action sent."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from winlab.exec.actions.chain import Chain, failed
from winlab.exec.literals import unquote
from winlab.exec.outcome import Outcome
from winlab.host.errors import NotModelledError, WindowsError
from winlab.modules.kit.basic import BasicModule
from winlab.modules.kit.commands import run_line
from winlab.modules.kit.context import ModuleEnd, RunContext, to_one_line, user_context
from winlab.modules.kit.dotnet import ModuleCrash
from winlab.modules.kit.legacy import LegacyModule
from winlab.modules.kit.registry import Registered, find

_CALL = re.compile(r"&\s+('(?:[^']|'')+'|[^\s'\"]+)(.*); exit \$LASTEXITCODE", re.DOTALL)
_BATCH = (".cmd", ".bat")


def run(chain: Chain) -> Outcome:
    """Run the module that the manifest names; the answer is one line of JSON."""
    script = str(chain.parameter("Script"))
    added = {str(k): str(v) for k, v in (chain.action.params.get("Environment") or {}).items()}
    context = chain.context
    if added:
        context = user_context(chain.host, context.user, context, added)
    outcome = (
        _module(chain, context, script)
        if chain.action.params.get("ForModule")
        else _sent_file(chain, context, script)
    )
    if context is not chain.context:
        chain.context.duration = context.duration
        chain.context.goes_down_after = context.goes_down_after
    return outcome


def _module(chain: Chain, context: RunContext, script: str) -> Outcome:
    registered = find(script)
    named = _shown(script)
    chain.seen(f"module {named}")
    if registered is None:
        return _refused(chain, f"the module {named}")
    sent = chain.envelope.manifest.scripts.get(script)
    if sent is not None and not registered.ships_as(sent.script):
        chain.host.not_modelled(f"{named} in another version than ansible 12.3 ships")
    arguments = _arguments(chain.action.params)
    armed = True if arguments.get("_ansible_check_mode") is True else None
    with chain.host.guard.acting(f"module {named}", armed=armed):
        return _answer(chain, context, registered, arguments)


def _arguments(params: Mapping[str, Any]) -> dict[str, Any]:
    for variable in params.get("Variables") or ():
        if variable.get("Name") == "complex_args":
            return dict(variable.get("Value") or {})
    return {}


def _answer(
    chain: Chain, context: RunContext, registered: Registered, arguments: Mapping[str, Any]
) -> Outcome:
    try:
        for name in registered.not_modelled:
            if arguments.get(name) is not None:
                raise NotModelledError(f"option {name} of {registered.spec.module}")
        if registered.basic is not None:
            spec = registered.open_spec(arguments)
            registered.basic(BasicModule(context, spec, arguments))
        elif registered.legacy is not None:
            registered.legacy(LegacyModule(context, registered.spec, arguments))
    except ModuleEnd as end:
        return Outcome(lines=(to_one_line(end.result),), rc=end.rc)
    except NotModelledError as error:
        return _refused(chain, error.what)
    except ModuleCrash as crash:
        return _crashed(registered, str(crash))
    except WindowsError as error:
        return _crashed(registered, error.text(chain.host.locale.name))
    return _crashed(registered, "the module ended without a result")


def _refused(chain: Chain, what: str) -> Outcome:
    chain.host.not_modelled(what)
    return failed(str(NotModelledError(what)))


def _crashed(registered: Registered, message: str) -> Outcome:
    """The answer of module_wrapper.ps1 to an exception that the module did not catch."""
    place = f"<AnsibleModule>, {registered.collection}.{registered.name}"
    return failed(
        f"Unhandled exception while executing module: {message}",
        {"exception": f"{message}\r\nAt line:1 char:1\r\n\r\nScriptStackTrace:\r\nat {place}"},
    )


def _shown(script: str) -> str:
    parts = script.removesuffix(".ps1").split(".")
    if len(parts) == 6 and parts[0] == "ansible_collections":
        return f"{parts[1]}.{parts[2]}.{parts[5]}"
    return script.removesuffix(".ps1")


def _sent_file(chain: Chain, context: RunContext, script: str) -> Outcome:
    """The ``script`` action: its text calls the file that was sent before."""
    sent = chain.envelope.manifest.scripts.get(script)
    text = base64.b64decode(sent.script).decode("utf-8", "replace") if sent else ""
    chain.seen("script")
    call = _CALL.fullmatch(text.strip())
    if call is None:
        return _refused_script(chain, f"the script {script}")
    path = unquote(call[1])
    if not path.lower().endswith(_BATCH):
        return _refused_script(chain, f"the PowerShell script {path.rpartition(chr(92))[2]}")
    answer = run_line(context, f'call "{path}"{call[2]}')
    errors = answer.stderr.decode("utf-8", "replace").splitlines()
    return Outcome(
        text=answer.stdout.decode("utf-8", "replace"), errors=tuple(errors), rc=answer.rc
    )


def _refused_script(chain: Chain, what: str) -> Outcome:
    chain.host.not_modelled(what)
    return Outcome(errors=(str(NotModelledError(what)),), rc=1, refused=True)
