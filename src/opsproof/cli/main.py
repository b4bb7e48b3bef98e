"""The command line: one verb a file in this folder, found by name and imported on first use."""

from __future__ import annotations

import importlib
import os
import sys
import traceback

import click

from opsproof import __version__
from opsproof.cli.terminal import harmless
from opsproof.errors import ExitCode, OpsproofError

_VERBS = ("audit", "baseline", "doctor", "ledger", "report", "run", "signatures", "verify")


class _Verbs(click.Group):
    """Imports a verb's file only when it is called: start-up stays short."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_VERBS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        command = importlib.import_module(f"opsproof.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="opsproof")
def cli() -> None:
    """Run scheduled security maintenance and prove what it did."""


def main() -> None:
    """Entry point: runs a verb, prints an error as one line, ends with its exit code."""
    try:
        code = cli.main(standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except OpsproofError as error:
        click.echo(_line(str(error)), err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read the output has gone, as in `opsproof verify reports | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.INTERRUPTED)
    except OSError as error:
        click.echo(_line(_system(error)), err=True)
        sys.exit(ExitCode.NOT_EVALUATED)
    except Exception:  # noqa: BLE001 - the last place where anything can be said
        # A fault of our own came to no verdict: Python would end with 1, which says "findings".
        traceback.print_exc()
        sys.exit(ExitCode.NOT_EVALUATED)
    sys.exit(code if isinstance(code, int) else ExitCode.OK)


def _line(text: str) -> str:
    return harmless("opsproof: " + text.replace("\n", " "))


def _system(error: OSError) -> str:
    """What the operating system refused, in one line."""
    what = error.strerror or str(error)
    return what if error.filename is None else f"{os.fsdecode(error.filename)}: {what}"
