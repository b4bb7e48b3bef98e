"""The WinRM settings of one host: what `winrm get winrm/config` shows.

Source: Microsoft page "Installation and configuration for Windows Remote Management" (defaults and
quotas). The four quotas that newer Windows leaves open are 2147483647.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from winlab.wire.answers import ConfigValue

NO_LIMIT = 2_147_483_647


@dataclass(frozen=True, kw_only=True)
class WinrmSettings:
    """Listeners, authentication and quotas; ``_ms`` is milliseconds, ``_kb`` is 1,024 bytes.

    Windows ships with ``basic`` and ``allow_unencrypted`` off; a lab that is driven over plain
    HTTP needs both, so here they are on unless an estate says otherwise.
    ``max_operations_per_shell`` counts every command a shell ever ran, as WinRS does: that is the
    quota which makes Ansible re-create its shell.
    """

    http: bool = True
    https: bool = True
    basic: bool = True
    negotiate: bool = True
    allow_unencrypted: bool = True
    allow_shells: bool = True
    channel_binding: Literal["None", "Relaxed", "Strict"] = "Relaxed"
    os_version: str = "10.0.20348"
    max_envelope_size_kb: int = 500
    max_timeout_ms: int = 60_000
    idle_timeout_ms: int = 7_200_000
    max_connections: int = 300
    max_shells_per_user: int = NO_LIMIT
    max_processes_per_shell: int = NO_LIMIT
    max_memory_per_shell_mb: int = NO_LIMIT
    max_concurrent_users: int = NO_LIMIT
    max_concurrent_operations_per_user: int = 1_500
    max_operations_per_shell: int = NO_LIMIT

    def as_config(self) -> Mapping[str, ConfigValue]:
        """The settings as cfg:Config names them ([MS-WSMV] 2.2.4.7 and following)."""

        def flag(value: bool) -> str:
            return "true" if value else "false"

        auth = {
            "Basic": flag(self.basic),
            "Kerberos": "false",
            "Negotiate": flag(self.negotiate),
            "Certificate": "false",
            "CredSSP": "false",
            "CbtHardeningLevel": self.channel_binding,
        }
        return {
            "MaxEnvelopeSizekb": str(self.max_envelope_size_kb),
            "MaxTimeoutms": str(self.max_timeout_ms),
            "MaxBatchItems": "32000",
            "MaxProviderRequests": "4294967295",
            "Client": {"NetworkDelayms": "5000", "URLPrefix": "wsman"},
            "Service": {
                "MaxConcurrentOperations": "4294967295",
                "MaxConcurrentOperationsPerUser": str(self.max_concurrent_operations_per_user),
                "EnumerationTimeoutms": "240000",
                "MaxConnections": str(self.max_connections),
                "MaxPacketRetrievalTimeSeconds": "120",
                "AllowUnencrypted": flag(self.allow_unencrypted),
                "Auth": auth,
            },
            "Winrs": {
                "AllowRemoteShellAccess": flag(self.allow_shells),
                "IdleTimeout": str(self.idle_timeout_ms),
                "MaxConcurrentUsers": str(self.max_concurrent_users),
                "MaxShellRunTime": str(NO_LIMIT),
                "MaxProcessesPerShell": str(self.max_processes_per_shell),
                "MaxMemoryPerShellMB": str(self.max_memory_per_shell_mb),
                "MaxShellsPerUser": str(self.max_shells_per_user),
            },
        }
