"""cmd.exe and the executables of simulated Windows hosts."""

from winlab.commands.cmdline import cmd_arguments, unquote
from winlab.commands.run import CmdResult, run_cmd, run_program

__all__ = ["CmdResult", "cmd_arguments", "run_cmd", "run_program", "unquote"]
