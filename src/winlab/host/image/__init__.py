"""What a freshly installed Windows Server looks like: one shared, immutable image per kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from winlab.host.accounts import Group, User
from winlab.host.eventlogs import ChannelConfig
from winlab.host.files import Entry
from winlab.host.image.accounts import base_groups, base_users
from winlab.host.image.channels import base_channels
from winlab.host.image.environment import base_environment, base_listeners
from winlab.host.image.files import INSTALLED, base_files
from winlab.host.image.registry import base_registry
from winlab.host.image.services import base_services
from winlab.host.network import Listener
from winlab.host.registry import RegKey
from winlab.host.release import LOCALES, RELEASES
from winlab.host.services import Service
from winlab.host.tree import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage:
    """Everything hosts of one release and language share. ``installed`` dates the installation."""

    files: Image[Entry]
    registry: Image[RegKey]
    services: Mapping[str, Service]
    channels: dict[str, ChannelConfig]
    listeners: tuple[Listener, ...]
    environment: Mapping[str, str]
    installed: datetime
    chinese: bool

    def users(self, machine_sid: str) -> list[User]:
        """Return the built-in users under a machine SID."""
        return base_users(machine_sid, chinese=self.chinese)

    def groups(self, machine_sid: str) -> list[Group]:
        """Return the built-in groups under a machine SID."""
        return base_groups(machine_sid, chinese=self.chinese)


@cache
def base(release: str, locale: str) -> BaseImage:
    """Return the image of a release ("2022") in a language ("zh-CN"); built once (KeyError)."""
    found, language = RELEASES[release], LOCALES[locale]
    return BaseImage(
        files=base_files(found),
        registry=base_registry(found, language),
        services=base_services(found, language),
        channels=base_channels(found),
        listeners=base_listeners(found),
        environment=base_environment(found),
        installed=INSTALLED,
        chinese=language.chinese,
    )
