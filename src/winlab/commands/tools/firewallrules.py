"""netsh advfirewall firewall add, set, delete rule. Source: "netsh advfirewall firewall" (Microsoft Learn).

A rule becomes a value of the local store ([MS-GPFAS] 2.2.2.19). ``words`` are in lower case as netsh
compares them.
"""

from __future__ import annotations

from winlab.commands.call import Call
from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.firewall import STORE

_KEY = f"{STORE}\\FirewallRules"
_ACTIONS = {"allow": "Allow", "block": "Block"}
_DIRECTIONS = {"in": "In", "out": "Out"}
_PROTOCOLS = {"tcp": "6", "udp": "17", "any": ""}
_PROFILES = {"domain": "Domain", "private": "Private", "public": "Public"}


def change_rules(call: Call, verb: str, words: list[str]) -> int:
    """Add a rule, or change or delete all rules of a name."""
    options = dict(word.split("=", 1) for word in words if "=" in word)
    if "name" not in options:
        call.line(call.text("A specified value is not valid.", "指定的值无效。"))
        return 1
    if verb == "add":
        return _add(call, options)
    if verb == "delete" and set(options) == {"name"}:
        return _change(call, options["name"], None)
    if verb == "set" and "new" in words and set(options) <= {"name", "enable", "action"}:
        return _change(call, options.pop("name"), options)
    raise NotModelledError(f"netsh advfirewall firewall {verb} rule {' '.join(sorted(options))}")


def _add(call: Call, options: dict[str, str]) -> int:
    known = {"name", "dir", "action", "protocol", "localport", "profile", "enable"}
    if set(options) - known:
        raise NotModelledError(f"netsh advfirewall firewall add rule {min(set(options) - known)}=")
    try:
        fields = [
            f"Action={_ACTIONS[options['action']]}",
            f"Active={'FALSE' if options.get('enable') == 'no' else 'TRUE'}",
            f"Dir={_DIRECTIONS[options['dir']]}",
        ]
        number = _PROTOCOLS[options.get("protocol", "any")]
        chosen = options.get("profile", "any")
        profiles = [] if chosen == "any" else [_PROFILES[one] for one in chosen.split(",")]
    except KeyError:
        call.line(call.text("A specified value is not valid.", "指定的值无效。"))
        return 1
    fields += [f"Protocol={number}"] if number else []
    fields += [f"Profile={profile}" for profile in profiles]
    ports = options.get("localport", "any")
    fields += [] if ports == "any" else [f"LPort={port}" for port in ports.split(",")]
    rule = "|".join(["v2.31", *fields, f"Name={options['name']}", ""])
    call.host.registry.set_value(_KEY, f"{{{call.host.ids.guid().upper()}}}", rule)
    return _ok(call)


def _change(call: Call, name: str, changes: dict[str, str] | None) -> int:
    try:
        values = call.host.registry.values(_KEY)
    except WindowsError:
        values = []
    found = [value for value in values if name in {_name(str(value.data)), value.name.lower()}]
    if not found:
        text = ("No rules match the specified criteria.", "没有与指定标准相匹配的规则。")
        call.line(call.text(*text))
        return 1
    for value in found:
        if changes is None:
            call.host.registry.delete_value(_KEY, value.name)
            continue
        fields = str(value.data).split("|")
        if "enable" in changes:
            fields = _replaced(fields, "Active", "TRUE" if changes["enable"] == "yes" else "FALSE")
        if "action" in changes:
            fields = _replaced(fields, "Action", _ACTIONS.get(changes["action"], "Block"))
        call.host.registry.set_value(_KEY, value.name, "|".join(fields))
    return _ok(call)


def _replaced(fields: list[str], name: str, text: str) -> list[str]:
    return [f"{name}={text}" if field.startswith(f"{name}=") else field for field in fields]


def _name(rule: str) -> str:
    return next((part[5:].lower() for part in rule.split("|") if part.startswith("Name=")), "")


def _ok(call: Call) -> int:
    call.line(call.text("Ok.", "确定。"))
    call.line()
    return 0
