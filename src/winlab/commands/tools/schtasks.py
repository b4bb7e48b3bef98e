"""schtasks.exe: create from XML, run, delete, query one. Source: "schtasks" (Microsoft Learn).

Exit code 1 stands for every failure. A list of all tasks would need those that Windows brings along.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from xml.etree.ElementTree import Element, ParseError

from defusedxml.ElementTree import fromstring

from winlab.commands.call import Call, program
from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.tasks import Task

_DELAY = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")


def _failed(call: Call, english: str, chinese: str) -> int:
    call.error(call.text(f"ERROR: {english}", f"错误: {chinese}"))
    return 1


def _missing(call: Call) -> int:
    return _failed(call, "The system cannot find the file specified.", "系统找不到指定的文件。")


def _options(call: Call) -> dict[str, str]:
    found: dict[str, str] = {}
    words = list(call.args[1:])
    while words:
        name = words.pop(0).lower()
        takes = bool(words) and not words[0].startswith("/")
        found[name] = words.pop(0) if takes else ""
    return found


def _text(root: Element, name: str) -> str:
    found = next((e.text for e in root.iter() if e.tag.rpartition("}")[2] == name), None)
    return (found or "").strip()


def _create(call: Call, options: dict[str, str]) -> int:
    if "/xml" not in options or "/tn" not in options:
        raise NotModelledError("schtasks /create without /xml")
    try:
        data = call.host.files.read(options["/xml"], call.cwd)
        root = fromstring(data.decode("utf-16").partition("?>")[2].strip())
    except WindowsError:
        return _missing(call)
    except (ParseError, UnicodeDecodeError):
        return _failed(call, "The task XML is malformed.", "任务 XML 的格式不正确。")
    triggers = [e.tag.rpartition("}")[2] for e in root.iter() if e.tag.endswith("Trigger")]
    if triggers != ["RegistrationTrigger"]:
        raise NotModelledError(f"a task with the triggers {', '.join(triggers) or '(none)'}")
    delay = _DELAY.fullmatch(_text(root, "Delay") or "PT0S")
    if delay is None:
        return _failed(call, "The task XML is malformed.", "任务 XML 的格式不正确。")
    hours, minutes, seconds = (int(part or 0) for part in delay.groups())
    task = Task(
        name=options["/tn"].strip("\\"),
        command=f"{_text(root, 'Command')} {_text(root, 'Arguments')}".strip(),
        user="SYSTEM" if _text(root, "UserId") == "S-1-5-18" else call.user,
        due=call.host.now() + timedelta(hours=hours, minutes=minutes, seconds=seconds),
    )
    try:
        call.host.tasks.create(task, force="/f" in options)
    except WindowsError:
        return _failed(
            call,
            "Cannot create a file when that file already exists.",
            "当文件已存在时，无法创建该文件。",
        )
    name = options["/tn"]
    call.line(
        call.text(
            f'SUCCESS: The scheduled task "{name}" has successfully been created.',
            f'成功: 成功创建计划任务 "{name}"。',
        )
    )
    return 0


def _delete(call: Call, options: dict[str, str]) -> int:
    name = options.get("/tn", "").strip("\\")
    if "/f" not in options:
        raise NotModelledError("schtasks /delete without /f")
    try:
        call.host.tasks.delete(name)
    except WindowsError:
        return _missing(call)
    call.line(
        call.text(
            f'SUCCESS: The scheduled task "{name}" was successfully deleted.',
            f'成功: 计划的任务 "{name}" 被成功删除。',
        )
    )
    return 0


def _query(call: Call, options: dict[str, str]) -> int:
    if set(options) != {"/tn"}:
        raise NotModelledError(f"schtasks /query {' '.join(sorted(options))}".rstrip())
    try:
        task = call.host.tasks.get(options["/tn"].strip("\\"))
    except WindowsError:
        return _missing(call)
    call.line()
    call.line(call.text("Folder: \\", "文件夹: \\"))
    call.line(f"{task.name:<41}{task.due.isoformat() if task.due else 'N/A':<23}")
    return 0


def _run(call: Call, options: dict[str, str]) -> int:
    if set(options) != {"/tn"}:
        raise NotModelledError(f"schtasks /run {' '.join(sorted(options))}".rstrip())
    name = options["/tn"]
    try:
        task = call.host.tasks.get(name.strip("\\"))
    except WindowsError:
        return _missing(call)
    # The scheduler starts it by itself; this command does not wait.
    call.host.tasks.create(replace(task, due=call.host.now()), force=True)
    call.line(
        call.text(
            f'SUCCESS: Attempted to run the scheduled task "{name}".', f'成功: 尝试运行 "{name}"。'
        )
    )
    return 0


_VERBS = {"/create": _create, "/delete": _delete, "/query": _query, "/run": _run}


@program("schtasks")
def schtasks(call: Call) -> int:
    """Register, remove and list scheduled tasks."""
    verb = call.args[0].lower() if call.args else ""
    if verb not in _VERBS:
        raise NotModelledError(f"schtasks {verb}".strip())
    if not call.admin:
        return _failed(call, "Access is denied.", "拒绝访问。")
    return _VERBS[verb](call, _options(call))
