"""The command line of the lab: start it, break it, look at it, stop it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from opsproof.errors import ExitCode, OpsproofError
from winlab.estate import launch
from winlab.estate.control import ask
from winlab.estate.state import StateFolder, state_folder

DEFAULT_ESTATE = Path("inventories/lab/estate.yml")
F = TypeVar("F", bound=Callable[..., Any])


class _Group(click.Group):
    """Turns the package's errors into one line and their exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OpsproofError as exc:
            click.echo(f"winlab: {exc}", err=True)
            ctx.exit(int(exc.exit_code))


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    help="State folder of the lab; default $WINLAB_STATE, else ./.lab.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    help="How answers are printed.",
)
@click.pass_context
def cli(ctx: click.Context, state: Path | None, form: str) -> None:
    """Simulated Windows hosts behind real WinRM, on loopback addresses of this machine.

    \b
    Example:
      winlab up inventories/lab/estate.yml
      winlab fault app-auth-01 slow --seconds 3
      winlab down
    """
    ctx.obj = (StateFolder(state_folder(state)), form)


def _hosts(function: F) -> F:
    return click.argument("hosts", nargs=-1)(function)


def _send(ctx: click.Context, verb: str, **more: Any) -> Any:
    folder: StateFolder = ctx.obj[0]
    return ask(folder.control, {"do": verb, **more})


def _print(ctx: click.Context, answer: Any, text: Callable[[Any], str]) -> None:
    if ctx.obj[1] == "json":
        click.echo(json.dumps(answer, ensure_ascii=False, indent=1))
    else:
        click.echo(text(answer))


@cli.command()
@click.argument("estate", type=click.Path(path_type=Path), default=DEFAULT_ESTATE)
@click.option("--foreground", is_flag=True, help="Serve in this process until interrupted.")
@click.option("--timeout", default=60.0, help="Seconds to wait until all hosts listen.")
@click.pass_context
def up(ctx: click.Context, estate: Path, foreground: bool, timeout: float) -> None:
    """Start the hosts of ESTATE and return when all of them listen.

    Does nothing when that estate is up already.

    \b
    Example: winlab up tests/estate.yml
    """
    folder: StateFolder = ctx.obj[0]
    if foreground:
        ctx.exit(launch.foreground(folder, estate.absolute()))
    state = launch.start(folder, estate.absolute(), timeout)
    _print(ctx, state, _up_text)


def _up_text(state: dict[str, Any]) -> str:
    hosts = state["hosts"]
    served = [h for h in hosts.values() if h["http"] or h["https"]]
    addresses = sorted({h["address"].rpartition(".")[0] + ".0/24" for h in hosts.values()})
    return (
        f"{len(hosts)} hosts, {len(served)} with WinRM, on {', '.join(addresses)} "
        f"(pid {state['pid']})\nstate: {Path(state['control']).parent}"
    )


@cli.command()
@click.option("--timeout", default=20.0, help="Seconds to wait for the end.")
@click.pass_context
def down(ctx: click.Context, timeout: float) -> None:
    """Stop the lab of this state folder; nothing happens when none runs.

    \b
    Example: winlab down
    """
    folder: StateFolder = ctx.obj[0]
    pid = launch.stop(folder, timeout)
    _print(ctx, {"stopped": pid}, lambda a: f"stopped {pid}" if a["stopped"] else "no lab runs")


@cli.command()
@_hosts
@click.pass_context
def status(ctx: click.Context, hosts: tuple[str, ...]) -> None:
    """Show where HOSTS answer and how they fare (all when none is named).

    \b
    Example: winlab status app-auth-01
    """
    _print(ctx, _send(ctx, "status", hosts=hosts), _status_text)


def _status_text(answer: dict[str, Any]) -> str:
    lines = []
    for name, host in answer["hosts"].items():
        state = "up" if host["up"] else "down"
        if not host["managed"]:
            state = "no WinRM"
        notes = "; ".join([host["fault"], *host["sites"]]).strip("; ")
        lines.append(
            f"{name:<18} {host['address']:<15} {host['os']:<8} {host['locale']}  "
            f"{state:<9} {notes}".rstrip()
        )
    return "\n".join(lines)


@cli.command()
@click.argument("host")
@click.argument(
    "kind",
    type=click.Choice(
        ["refuse", "hang", "drop", "slow", "latency", "reboot", "down", "up", "none"]
    ),
)
@click.option(
    "--seconds", type=click.FloatRange(min=0), help="For slow and latency (needed), and reboot."
)
@click.option(
    "--count", type=click.IntRange(min=1), help="Requests it is for; reads that a reboot refuses."
)
@click.option(
    "--at",
    metavar="RUN",
    help="Begin when this runs: fetch, put, 'module ansible.windows.win_ping'.",
)
@click.pass_context
def fault(
    ctx: click.Context,
    host: str,
    kind: str,
    seconds: float | None,
    count: int | None,
    at: str | None,
) -> None:
    """Make something go wrong on HOST ("all" for every host); none ends all but down and reboot.

    refuse resets connections, hang never answers, drop cuts the connection instead of giving a
    command's output, slow and latency add seconds to commands and to answers, reboot sets how long
    reboots take, down and up close and open the host.

    \b
    Example: winlab fault app-auth-01 drop --count 1
    """
    hosts = [] if host == "all" else [host]
    answer = _send(ctx, "fault", hosts=hosts, kind=kind, seconds=seconds, count=count, at=at)
    _print(ctx, answer, lambda names: f"{kind}: {', '.join(names)}")


@cli.command()
@_hosts
@click.pass_context
def dump(ctx: click.Context, hosts: tuple[str, ...]) -> None:
    """Print the model of HOSTS as JSON: what is true on them, without asking them.

    \b
    Example: winlab dump app-auth-01
    """
    click.echo(json.dumps(_send(ctx, "dump", hosts=hosts), ensure_ascii=False, indent=1))


@cli.command()
@_hosts
@click.option("--reset", is_flag=True, help="Set them to zero afterwards.")
@click.pass_context
def counters(ctx: click.Context, hosts: tuple[str, ...], reset: bool) -> None:
    """Show requests, commands, module runs, files moved and bytes of HOSTS.

    \b
    Example: winlab counters --reset
    """
    _print(ctx, _send(ctx, "counters", hosts=hosts, reset=reset), _counters_text)


def _counters_text(answer: dict[str, Any]) -> str:
    names = ("requests", "commands", "modules", "files", "bytes_in", "bytes_out")
    rows = [*answer["hosts"].items(), ("total", answer["total"])]
    head = f"{'':<18}" + "".join(f"{name:>11}" for name in names)
    return "\n".join(
        [head, *(f"{key:<18}" + "".join(f"{row[n]:>11}" for n in names) for key, row in rows)]
    )


@cli.command()
@click.argument("mode", type=click.Choice(["on", "off", "show"]), default="show")
@_hosts
@click.pass_context
def guard(ctx: click.Context, mode: str, hosts: tuple[str, ...]) -> None:
    """Arm or disarm the write guard of HOSTS; print the writes that happened under it.

    Exit code 1 when there were any.

    \b
    Example: winlab guard on && ansible-playbook --check site.yml && winlab guard show
    """
    answer = _send(ctx, "guard", mode=mode, hosts=hosts)
    found = {name: writes for name, writes in answer.items() if writes}
    _print(ctx, found, _guard_text)
    if found:
        ctx.exit(int(ExitCode.FINDINGS))


def _guard_text(found: dict[str, list[dict[str, str]]]) -> str:
    lines = [f"{name}: {w['what']} ({w['origin']})" for name, ws in found.items() for w in ws]
    return "\n".join(lines) or "no writes"


@cli.command()
@click.argument("label")
@_hosts
@click.pass_context
def snapshot(ctx: click.Context, label: str, hosts: tuple[str, ...]) -> None:
    """Keep the state of HOSTS under LABEL.

    \b
    Example: winlab snapshot before-patching
    """
    _print(ctx, _send(ctx, "snapshot", label=label, hosts=hosts), lambda n: f"kept {len(n)} hosts")


@cli.command()
@click.argument("label")
@_hosts
@click.pass_context
def restore(ctx: click.Context, label: str, hosts: tuple[str, ...]) -> None:
    """Bring back the state of HOSTS that was kept under LABEL.

    \b
    Example: winlab restore before-patching app-auth-01
    """
    answer = _send(ctx, "restore", label=label, hosts=hosts)
    _print(ctx, answer, lambda n: f"restored {len(n)} hosts")


@cli.command()
@_hosts
@click.pass_context
def reset(ctx: click.Context, hosts: tuple[str, ...]) -> None:
    """Bring HOSTS back to how the estate file describes them, counters and faults included.

    \b
    Example: winlab reset
    """
    _print(ctx, _send(ctx, "reset", hosts=hosts), lambda names: f"reset {len(names)} hosts")


@cli.command()
@click.option(
    "--output", type=click.Path(path_type=Path), help="Write here; default is standard output."
)
def docs(output: Path | None) -> None:
    """Print what the lab emulates: every module, option and command with its source.

    \b
    Example: winlab docs --output docs/winlab-coverage.md
    """
    from winlab.estate.coverage import coverage_page

    page = coverage_page()
    if output is None:
        click.echo(page, nl=False)
    else:
        output.write_text(page, encoding="utf-8")


def main() -> None:
    """Run the command line; the exit code is that of `opsproof.errors.ExitCode`."""
    cli(prog_name="winlab")


if __name__ == "__main__":
    main()
