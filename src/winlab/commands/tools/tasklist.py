"""tasklist.exe. Source: "tasklist" (Microsoft Learn)."""

from __future__ import annotations

from winlab.commands.call import Call, program
from winlab.host.errors import NotModelledError
from winlab.host.processes import ProcessInfo


def _cells(call: Call, process: ProcessInfo, *, services: bool) -> list[str]:
    if services:
        none = call.text("N/A", "暂缺")
        return [process.name, str(process.pid), ", ".join(process.services) or none]
    session = "Console" if process.session else "Services"
    memory = f"{process.memory_kb:,} K"
    return [process.name, str(process.pid), session, str(process.session), memory]


@program("tasklist")
def tasklist(call: Call) -> int:
    """List processes, with /svc the services they host."""
    services = header = True
    services, form, filters = False, "table", []
    args = list(call.args)
    while args:
        low = args.pop(0).lower()
        if low == "/svc":
            services = True
        elif low == "/nh":
            header = False
        elif low == "/fo" and args:
            form = args.pop(0).lower()
        elif low == "/fi" and args:
            filters.append(args.pop(0))
        elif low in {"/s", "/u", "/p", "/m", "/v", "/apps"}:
            raise NotModelledError(f"tasklist {low}")
        else:
            call.error(
                call.text(
                    f"ERROR: Invalid argument/option - '{low}'.\r\nType \"TASKLIST /?\" for usage.",
                    f"错误: 无效参数/选项 - '{low}'。\r\n键入 \"TASKLIST /?\" 以了解用法。",
                )
            )
            return 1
    if form not in {"table", "csv"}:
        raise NotModelledError(f"tasklist /fo {form}")
    rows = [
        _cells(call, p, services=services)
        for p in call.host.processes.all()
        if all(_keep(p, f) for f in filters)
    ]
    if not rows:
        call.line(
            call.text(
                "INFO: No tasks are running which match the specified criteria.",
                "信息: 没有运行的任务匹配指定标准。",
            )
        )
        return 0
    names = ["Image Name,PID,Services", "映像名称,PID,服务"]
    if not services:
        names = [
            "Image Name,PID,Session Name,Session#,Mem Usage",
            "映像名称,PID,会话名,会话#,内存使用 ",
        ]
    titles = call.text(*names).split(",")
    if form == "csv":
        for row in [titles, *rows] if header else rows:
            call.line(",".join(f'"{cell}"' for cell in row))
        return 0
    widths = [25, 8, 44] if services else [25, 8, 16, 11, 12]
    if header:
        call.line()
        call.line(" ".join(t.ljust(w) for t, w in zip(titles, widths, strict=True)).rstrip())
        call.line(" ".join("=" * w for w in widths))
    for row in rows:
        cells = [row[0][:25].ljust(25), row[1].rjust(8)]
        if services:
            cells.append(row[2])
        else:
            cells += [row[2].ljust(16), row[3].rjust(11), row[4].rjust(12)]
        call.line(" ".join(cells))
    return 0


def _keep(process: ProcessInfo, rule: str) -> bool:
    words = rule.split(None, 2)
    if len(words) != 3 or words[1].lower() not in {"eq", "ne"}:
        raise NotModelledError(f"tasklist /fi {rule}")
    name, operator, value = words[0].lower(), words[1].lower(), words[2].lower()
    if name == "imagename":
        same = process.name.lower() == value
    elif name == "pid":
        same = str(process.pid) == value
    elif name == "services":
        same = value in {s.lower() for s in process.services}
    else:
        raise NotModelledError(f"tasklist /fi {rule}")
    return same == (operator == "eq")
