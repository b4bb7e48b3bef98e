"""sqlcmd.exe, which runs Transact-SQL on an instance of this host or of a peer.

Source: "sqlcmd utility", "sqlcmd commands", "sqlcmd - use with scripting variables" (Microsoft
Learn). A lock that somebody holds is error 1222 at once: a command of the lab runs to its end
without waiting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from winlab.commands.call import Call, codec, program
from winlab.commands.tools.sqlcmd_text import Layout, lines
from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.host import Host
from winlab.sqlserver.errors import TsqlError
from winlab.sqlserver.events import Blocked, Done, Pause, Result, Said
from winlab.sqlserver.session import Client, Session

# Switches that take a value, and those that take none.
_OPTIONS: dict[str, bool] = {
    "-S": True,
    "-d": True,
    "-U": True,
    "-P": True,
    "-E": False,
    "-Q": True,
    "-i": True,
    "-o": True,
    "-b": False,
    "-V": True,
    "-h": True,
    "-W": False,
    "-s": True,
    "-w": True,
    "-x": False,
    "-I": False,
    "-u": False,
    "-f": True,
    "-H": True,
    "-l": True,
    "-t": True,
    "-m": True,
    "-C": False,
    "-N": False,
}
_REDIRECT = re.compile(r"^-r([01]?)$")
_VARIABLE = re.compile(r"\$\(([^()\s]+)\)")
_GO = re.compile(r"^\s*GO(?:\s+(\d+))?\s*$", re.IGNORECASE)
_COMMAND = re.compile(r"^\s*:(\w+|!!)\s*(.*?)\s*$|^\s*(QUIT|EXIT)\s*$", re.IGNORECASE)


class _Stopped(Exception):  # noqa: N818 - a way out, not an error
    def __init__(self, code: int) -> None:
        self.code = code


@dataclass
class _Wanted:
    """The command line."""

    values: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    variables: dict[str, str] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    redirect: int = -1

    @property
    def floor(self) -> int:
        """The severity from which an error counts for -b: above 10, or what -V says."""
        return int(self.values.get("-V", "11"))


@program("sqlcmd")
def sqlcmd(call: Call) -> int:
    """Run a query or scripts."""
    try:
        wanted = _read(call)
    except ValueError as error:
        call.error(f"Sqlcmd: {error}")
        return 1
    run = _Run(call, wanted)
    try:
        return run.everything()
    except _Stopped as stopped:
        return stopped.code
    finally:
        run.close()


def _read(call: Call) -> _Wanted:
    wanted = _Wanted()
    words = list(call.args)
    while words:
        word = words.pop(0)
        if match := _REDIRECT.match(word):
            wanted.redirect = int(match[1] or 0)
            continue
        if word == "-v":
            while words and not words[0].startswith("-"):
                name, equals, value = words.pop(0).partition("=")
                if not equals:
                    raise ValueError(f"'{name}': Invalid argument. Enter '-?' for help.")
                wanted.variables[name.lower()] = value.strip('"')
            continue
        switch, value = word[:2], word[2:]
        if switch not in _OPTIONS or not word.startswith("-"):
            if word.startswith("-"):
                raise NotModelledError(f"sqlcmd {switch}")
            raise ValueError(f"'{word}': Unexpected argument. Enter '-?' for help.")
        if not _OPTIONS[switch]:
            wanted.flags |= {f"-{letter}" for letter in word[1:]}
            continue
        if not value:
            if not words:
                raise ValueError(f"'{switch}': Missing argument. Enter '-?' for help.")
            value = words.pop(0)
        if switch == "-i":
            wanted.inputs += [one.strip().strip('"') for one in value.split(",")]
        wanted.values[switch] = value
    if "-Q" in wanted.values and wanted.inputs:
        raise ValueError("The -i and -Q options are mutually exclusive.")
    if "-E" in wanted.flags and "-U" in wanted.values:
        raise ValueError("The -E and the -U/-P options are mutually exclusive.")
    return wanted


class _Run:
    """One start of sqlcmd."""

    def __init__(self, call: Call, wanted: _Wanted) -> None:
        self.call = call
        self.wanted = wanted
        self.out: list[str] = []
        self.session: Session | None = None
        self.exit_on_error = "-b" in wanted.flags
        self.layout = Layout(
            wanted.values.get("-s", " "), "-W" in wanted.flags, int(wanted.values.get("-h", "0"))
        )

    def everything(self) -> int:
        """The exit code: 0, or 1 for no connection, a bad script, or an error under -b."""
        self.session = self._connect()
        if self.session is None:
            return 1
        self.session.quoted_identifiers = "-I" in self.wanted.flags
        if "-Q" in self.wanted.values:
            return self._script(self.wanted.values["-Q"])
        if not self.wanted.inputs:
            return self._script(self.call.input_text())
        for path in self.wanted.inputs:
            code = self._script(self._file(path))
            if code:
                return code
        return 0

    def close(self) -> None:
        """Leave the server; what was open is rolled back. Write the file of -o."""
        if self.session is not None:
            self.session.close()
        path = self.wanted.values.get("-o")
        text = "".join(self.out)
        if path is None:
            self.call.write(text)
            return
        unicode = "-u" in self.wanted.flags
        data = b"\xff\xfe" + text.encode("utf-16-le") if unicode else self._encoded(text)
        self.call.host.files.write(path, data, cwd=self.call.cwd)

    def _encoded(self, text: str) -> bytes:
        page = int(self.wanted.values.get("-f", "0").rpartition(":")[2] or 0)
        return text.encode(codec(page or self.call.console.codepage), "replace")

    # -- connecting --------------------------------------------------------------------------

    def _connect(self) -> Session | None:
        given = self.wanted.values.get("-S", ".")
        server = given.removeprefix("tcp:").removeprefix("np:").removeprefix("lpc:")
        name, _, port = server.partition(",")
        machine, _, instance = name.partition("\\")
        host = self._host(machine)
        found = None if host is None else host.sql
        if host is None or found is None or not _reachable(host, instance, port):
            self._unreachable()
            return None
        client = Client(
            self.wanted.values.get("-H", self.call.host.name),
            "SQLCMD",
            "<local machine>"
            if host is self.call.host
            else self.call.host.network.adapters[0].address,
        )
        database = self.wanted.values.get("-d", "")
        try:
            if "-U" in self.wanted.values:
                password = self.wanted.values.get("-P", self.call.env.find("SQLCMDPASSWORD") or "")
                return found.log_in(self.wanted.values["-U"], password, database, client)
            return found.trusted(f"{self.call.host.name}\\{self.call.user}", database, client)
        except TsqlError as error:
            self._error(error.number, error.severity, error.state, error.text, 1, found.server_name)
            if error.number == 4060:
                user = self.wanted.values.get("-U", f"{self.call.host.name}\\{self.call.user}")
                text = f"Login failed for user '{user}'."
                self._error(18456, 14, 1, text, 1, found.server_name)
            return None

    def _host(self, machine: str) -> Host | None:
        host = self.call.host
        if machine.lower() in {"", ".", "(local)", "localhost", "127.0.0.1", host.name.lower()}:
            return host
        return host.network.peer(machine)

    def _unreachable(self) -> None:
        """The words of sqlcmd 13 over ODBC; codes are those of the TCP provider."""
        head = "Sqlcmd: Error: Microsoft ODBC Driver 13 for SQL Server"
        for text in (
            f"{head} : TCP Provider: No connection could be made because the target machine actively refused "
            "it.\r\n.",
            f"{head} : A network-related or instance-specific error has occurred while "
            f"establishing a connection "
            "to SQL Server. Server is not found or not accessible. Check if instance name is "
            "correct and if SQL "
            "Server is configured to allow remote connections. For more information see SQL "
            "Server Books Online..",
            f"{head} : Login timeout expired.",
        ):
            self.call.error(text)

    # -- scripts -----------------------------------------------------------------------------

    def _file(self, path: str) -> str:
        try:
            data = self.call.host.files.read(path, self.call.cwd)
        except WindowsError as error:
            self.call.error(f"Sqlcmd: '{path}': Invalid filename.")
            raise _Stopped(1) from error
        if data.startswith(b"\xff\xfe"):
            return data[2:].decode("utf-16-le", "replace")
        if data.startswith(b"\xef\xbb\xbf"):
            return data[3:].decode("utf-8", "replace")
        page = re.sub(r"\D", "", self.wanted.values.get("-f", "").partition(",")[0])
        # Without -f a file is read in the system's OEM code page.
        default = 936 if self.call.host.locale.chinese else 437
        return data.decode(codec(int(page or default)), "replace")

    def _script(self, text: str) -> int:
        buffer: list[str] = []
        for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):
            if match := _GO.match(line):
                for _ in range(int(match[1] or 1)):
                    self._batch("\n".join(buffer))
                buffer.clear()
            elif (match := _COMMAND.match(line)) and not _inside(buffer):
                word = (match[1] or match[3]).lower()
                if word in {"quit", "exit"}:
                    if word == "exit" and buffer:
                        self._batch("\n".join(buffer))
                    return 0
                self._command(word, match[2] or "", number)
            else:
                buffer.append(line)
        self._batch("\n".join(buffer))
        return 0

    def _command(self, word: str, rest: str, number: int) -> None:
        match word:
            case "on":
                action = rest.lower().removeprefix("error").strip()
                if action not in {"exit", "ignore"}:
                    self._syntax(number, word)
                self.exit_on_error = action == "exit" or "-b" in self.wanted.flags
            case "setvar":
                name, _, value = rest.partition(" ")
                if not name:
                    self._syntax(number, word)
                self.wanted.variables[name.lower()] = value.strip().strip('"')
            case "r":
                self._script(self._file(self._replaced(rest).strip('"')))
            case (
                "connect"
                | "out"
                | "error"
                | "ed"
                | "list"
                | "listvar"
                | "help"
                | "reset"
                | "xml"
                | "!!"
            ):
                raise NotModelledError(f"sqlcmd :{word}")
            case _:
                self._syntax(number, word)

    def _syntax(self, number: int, word: str) -> None:
        self.call.error(f"Sqlcmd: Error: Syntax error at line {number} near command ':{word}'.")
        raise _Stopped(1)

    def _replaced(self, text: str) -> str:
        if "-x" in self.wanted.flags:
            return text

        def value(match: re.Match[str]) -> str:
            name = match[1]
            found = self.wanted.variables.get(name.lower(), self.call.env.find(name))
            if found is None:
                self.call.error(f"'{name}' scripting variable not defined.")
                raise _Stopped(1)
            return found

        return _VARIABLE.sub(value, text)

    # -- batches -----------------------------------------------------------------------------

    def _batch(self, text: str) -> None:
        """Run one; under -b the answer is printed to its end, then sqlcmd leaves.

        assumed: nothing says whether results behind an error of the same batch are printed.
        """
        if not text.strip():
            return
        assert self.session is not None
        run = self.session.batch(self._replaced(text))
        worst = 0
        reply: bool | None = None
        while True:
            try:
                event = run.send(reply)
            except StopIteration:
                break
            reply = None
            if isinstance(event, Blocked):
                reply = False
            elif isinstance(event, Pause):
                self.call.console.duration += event.seconds
            elif isinstance(event, Result):
                for line in lines(event.columns, event.rows, self.layout):
                    self._line(line)
            elif isinstance(event, Done):
                if event.count is not None:
                    self._line("")
                    self._line(f"({event.count} rows affected)")
            elif isinstance(event, Said):
                worst = max(worst, self._said(event))
        if self.session.closed:
            raise _Stopped(1)
        if worst >= self.wanted.floor and self.exit_on_error:
            raise _Stopped(1)

    def _said(self, event: Said) -> int:
        assert self.session is not None
        if event.severity <= 10:
            if event.number == 3621 or event.text:
                self._line(event.text, error=self.wanted.redirect == 1)
            return 0
        server = self.session.instance.server_name
        self._error(event.number, event.severity, event.state, event.text, event.line, server)
        if event.state == 127:
            # "RAISERROR": state 127 makes sqlcmd leave and return the message's number.
            raise _Stopped(event.number)
        return event.severity

    def _error(
        self, number: int, severity: int, state: int, text: str, line: int, server: str
    ) -> None:
        to_error = self.wanted.redirect >= 0
        self._line(
            f"Msg {number}, Level {severity}, State {state}, Server {server}, Line {line}",
            error=to_error,
        )
        self._line(text, error=to_error)

    def _line(self, text: str, *, error: bool = False) -> None:
        if error:
            self.call.error(text)
        else:
            self.out.append(text + "\r\n")


def _inside(buffer: list[str]) -> bool:
    """Whether a line continues a comment or a text: such a line is no command."""
    text = "\n".join(buffer)
    bare = re.sub(r"--[^\n]*|'(?:[^']|'')*'", "", text)
    return bare.count("/*") > bare.count("*/") or bare.count("'") % 2 == 1


def _reachable(host: Host, instance: str, port: str) -> bool:
    """Whether the wanted instance runs and listens where it is looked for."""
    found = host.sql
    if found is None:
        return False
    if instance and instance.lower() != found.name.lower():
        return False
    service = "MSSQLSERVER" if found.name == "MSSQLSERVER" else f"MSSQL${found.name}"
    if not host.pid_of(service):
        return False
    if port:
        return any(
            str(one.port) == port.strip() and one.service == service
            for one in host.network.listeners
        )
    return bool(instance) or found.name == "MSSQLSERVER"
