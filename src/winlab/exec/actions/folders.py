"""powershell_mkdtemp.ps1 and powershell_expand_user.ps1 (ansible-core 2.19)."""

from __future__ import annotations

from winlab.exec.actions.chain import Chain, WrapperError
from winlab.exec.outcome import Outcome
from winlab.host import paths
from winlab.host.errors import WindowsError
from winlab.modules.kit.dotnet import io_message
from winlab.modules.kit.values import expand_variables


def make_temporary(chain: Chain) -> Outcome:
    """Make a folder below an expanded one and answer with its full path.

    The write guard does not count it: it is the transport's own.
    """
    parent = expand_variables(str(chain.parameter("Directory")), chain.context.environment)
    path = paths.normalise(paths.join(parent, str(chain.parameter("Name"))))
    host = chain.host
    try:
        with host.guard.exempt():
            host.files.mkdir(path)
    except WindowsError as error:
        if error.code == 183:
            raise WrapperError(f"An item with the specified name {path} already exists.") from error
        raise WrapperError(io_message(error, path, host.locale.name)) from error
    return Outcome(lines=(host.files.stat(path).path,))


def expand_user(chain: Chain) -> Outcome:
    """Answer with a path whose leading ``~`` is the user's profile folder."""
    path = str(chain.parameter("Path"))
    home = chain.context.environment.get("USERPROFILE", "C:\\Users\\Default")
    if path == "~":
        path = home
    elif path.startswith("~\\"):
        path = paths.join(home, path[2:])
    return Outcome(lines=(path,))
