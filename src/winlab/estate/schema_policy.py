"""What an estate file says of Group Policy: the domain's GPOs, by name; hosts say which apply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from winlab.estate.spec import Spec
from winlab.host.grouppolicy import Gpo, PolicyValue
from winlab.host.ids import SeededIds

Guid = Annotated[str, msgspec.Meta(pattern=r"^\{[0-9a-fA-F-]{36}\}$")]
Flags = Annotated[int, msgspec.Meta(ge=0, le=3)]
Sid = Annotated[str, msgspec.Meta(pattern="^S-1-[0-9-]+$")]


class PolicyValueSpec(Spec, frozen=True, kw_only=True):
    """A registry value below HKLM; ``absent`` removes it. The type follows from the YAML value."""

    key: str
    name: str
    value: str | int | tuple[str, ...] = ""
    absent: bool = False


class GpoSpec(Spec, frozen=True, kw_only=True):
    """One GPO's computer half: templates (``registry``) and the parts of its security settings.

    ``access`` is [System Access] of a template, ``rights`` lists SIDs, ``security`` are registry
    values of the security settings, ``audit`` success 1 + failure 2 by subcategory.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    guid: Guid | None = None
    link: Literal["domain", "ou"] = "ou"
    registry: tuple[PolicyValueSpec, ...] = ()
    access: dict[str, int | str] = msgspec.field(default_factory=dict)
    rights: dict[str, tuple[Sid, ...]] = msgspec.field(default_factory=dict)
    security: tuple[PolicyValueSpec, ...] = ()
    services: dict[str, Literal["auto", "manual", "disabled"]] = msgspec.field(default_factory=dict)
    audit: dict[Guid, Flags] = msgspec.field(default_factory=dict)


def unknown_gpo(gpos: Sequence[GpoSpec], names: Sequence[str]) -> str | None:
    """The first name that no GPO of the estate has, or None."""
    known = {gpo.name for gpo in gpos}
    return next((name for name in names if name not in known), None)


def built(gpos: Sequence[GpoSpec], names: Sequence[str], domain: str) -> tuple[Gpo, ...]:
    """The GPOs that apply to a host, in the order its file names them: the last one wins."""
    by_name = {gpo.name: gpo for gpo in gpos}
    return tuple(_gpo(by_name[name], domain) for name in names)


def _gpo(spec: GpoSpec, domain: str) -> Gpo:
    guid = (spec.guid or f"{{{SeededIds(f'{domain}/{spec.name}').guid()}}}").upper()
    return Gpo(
        name=spec.name,
        guid=guid,
        domain=domain,
        linked_to_domain=spec.link == "domain",
        registry=tuple(_value(value) for value in spec.registry),
        access=spec.access,
        rights=spec.rights,
        security_values=tuple(_value(value) for value in spec.security),
        services=spec.services,
        audit=spec.audit,
    )


def _value(spec: PolicyValueSpec) -> PolicyValue:
    return PolicyValue(key=spec.key, name=spec.name, data=None if spec.absent else spec.value)
