"""The WinRM service of one host: requests in, answers out.

Source: [MS-WSMV] 3.1.4 (message processing). The service knows no sockets and no authentication:
it is told who asks. Shells belong to their owner; for anybody else they do not exist.
"""

from __future__ import annotations

from winlab.session.console import ConsoleShell
from winlab.session.machine import Caller, Machine, Surroundings
from winlab.session.powershell import RunspacePool
from winlab.session.shell import Shell
from winlab.wire import answers, faults, names, requests
from winlab.wire.answers import Answer
from winlab.wire.faults import FaultError
from winlab.wire.requests import Request

_CONFIGURATIONS = frozenset(
    names.RESOURCE_POWERSHELL + name
    for name in ("Microsoft.PowerShell", "Microsoft.PowerShell32", "microsoft.powershell")
)


class Service:
    """All shells of one host. Not for use from several threads."""

    def __init__(self, machine: Machine, around: Surroundings) -> None:
        """A service without shells."""
        self._machine = machine
        self._around = around
        self._shells: dict[str, Shell] = {}
        self._enumerations: dict[str, answers.Enumerated] = {}

    @property
    def shell_count(self) -> int:
        """How many shells are open."""
        return len(self._shells)

    async def answer(self, request: Request, caller: Caller) -> Answer:
        """Answer one request; a failure is an answer too (:class:`winlab.wire.faults.Fault`)."""
        try:
            return await self._answer(request, caller)
        except FaultError as error:
            return error.fault

    def close(self) -> None:
        """Forget all shells, as a restart of the host does."""
        for shell in self._shells.values():
            shell.close()
        self._shells.clear()
        self._enumerations.clear()

    async def _answer(self, request: Request, caller: Caller) -> Answer:
        header, body = request.header, request.body
        match body:
            case requests.Identify():
                return answers.Identified(os_version=self._machine.settings.os_version)
            case requests.CreateShell():
                return self._create(request, body, caller)
            case requests.GetResource() if header.resource_uri == names.RESOURCE_CONFIG:
                return answers.Config(settings=self._machine.settings.as_config())
            case requests.GetResource() if header.resource_uri != names.SHELL:
                raise FaultError(faults.invalid_resource(header.resource_uri))
            case requests.EnumerateResource():
                return self._enumerate(header.resource_uri, body, caller)
            case requests.PullItems():
                found = self._enumerations.pop(body.context, None)
                if found is None:
                    raise FaultError(faults.invalid_enumeration_context())
                return found
        shell = self._shell(header.shell_id, caller)
        shell.used_at = self._around.clock()
        match body:
            case requests.ReceiveOutput():
                shell.receiving += 1
                try:
                    return await shell.receive(header, body, caller)
                finally:
                    shell.receiving -= 1
                    shell.used_at = self._around.clock()
            case requests.SendInput():
                return shell.send(body, caller)
            case requests.RunCommand():
                self._check_operations(caller)
                return shell.run(header, body)
            case requests.SignalCommand():
                return shell.signal(body)
            case requests.DeleteShell():
                del self._shells[shell.id]
                shell.close()
                return answers.Deleted()
            case requests.GetResource():
                return answers.Shell(shell=shell.view())
            case requests.ConnectShell() if isinstance(shell, RunspacePool):
                return shell.connect(body.connect_xml, caller)
            case requests.DisconnectShell() if isinstance(shell, RunspacePool):
                return shell.disconnect()
            case requests.ReconnectShell() if isinstance(shell, RunspacePool):
                return shell.reconnect()
            case _:
                raise FaultError(faults.action_not_supported(header.action))

    def _shell(self, shell_id: str, caller: Caller) -> Shell:
        shell = self._shells.get(shell_id)
        if shell is not None and shell.expired:
            del self._shells[shell_id]
            shell.close()
            shell = None
        if shell is None or shell.owner != caller.user:
            raise FaultError(faults.unknown_shell(shell_id))
        return shell

    def _create(self, request: Request, body: requests.CreateShell, caller: Caller) -> Answer:
        if not self._machine.settings.allow_shells:
            raise FaultError(faults.no_shells())
        self._check_shells(caller)
        shell_id = body.shell_id or self._around.guid()
        shell = self._opened(shell_id, request, caller)
        self._shells[shell_id] = shell
        return answers.ShellCreated(shell=shell.view(), address=caller.address)

    def _opened(self, shell_id: str, request: Request, caller: Caller) -> Shell:
        uri = request.header.resource_uri
        if uri == names.RESOURCE_CMD:
            return ConsoleShell(shell_id, request, caller, self._machine, self._around)
        if uri in _CONFIGURATIONS:
            return RunspacePool(shell_id, request, caller, self._machine, self._around)
        if uri.startswith(names.RESOURCE_POWERSHELL):
            name = uri.removeprefix(names.RESOURCE_POWERSHELL)
            raise FaultError(faults.no_such_configuration(name, self._machine.name))
        raise FaultError(faults.invalid_resource(uri))

    def _check_shells(self, caller: Caller) -> None:
        for shell in [shell for shell in self._shells.values() if shell.expired]:
            del self._shells[shell.id]
            shell.close()
        settings = self._machine.settings
        owners = [shell.owner for shell in self._shells.values()]
        if owners.count(caller.user) >= settings.max_shells_per_user:
            raise FaultError(
                faults.quota(faults.QUOTA_MAX_SHELLS, settings.max_shells_per_user, caller.user)
            )
        if len({*owners, caller.user}) > settings.max_concurrent_users:
            raise FaultError(
                faults.quota(
                    faults.QUOTA_MAX_SHELLUSERS, settings.max_concurrent_users, caller.user
                )
            )

    def _check_operations(self, caller: Caller) -> None:
        limit = self._machine.settings.max_concurrent_operations_per_user
        used = sum(
            shell.operations
            for shell in self._shells.values()
            if isinstance(shell, ConsoleShell) and shell.owner == caller.user
        )
        if used >= limit:
            raise FaultError(faults.quota(faults.QUOTA_MAX_OPERATIONS, limit, caller.user))

    def _enumerate(self, uri: str, body: requests.EnumerateResource, caller: Caller) -> Answer:
        shells = [
            shell
            for shell in self._shells.values()
            if shell.owner == caller.user and not shell.expired
        ]
        wanted = body.selectors.get("ShellId", "").upper()
        items: tuple[answers.ShellView | answers.CommandView, ...]
        if uri == names.SHELL:
            items = tuple(shell.view() for shell in shells if wanted in ("", shell.id))
        elif uri == names.RESOURCE_COMMAND:
            items = tuple(
                view
                for shell in shells
                if wanted in ("", shell.id)
                for view in shell.command_views()
            )
        else:
            raise FaultError(faults.invalid_resource(uri))
        if body.optimize:
            return answers.Enumerated(items=items)
        context = f"uuid:{self._around.guid()}"
        self._enumerations[context] = answers.Enumerated(items=items, pulled=True)
        return answers.EnumerationStarted(context=context)
