"""cmd.exe at work: runs a parsed line against a host.

Sources: "cmd", "Command redirection operators", "call", "exit" on Microsoft Learn. Exit codes: the
line's result is ERRORLEVEL at its end; a program that is not found gives 9009 in a batch file and 1
from ``cmd /c``.
"""

from __future__ import annotations

from winlab.commands import expansion, programs, syntax
from winlab.commands.batchfile import run_batch
from winlab.commands.builtin import find_builtin
from winlab.commands.call import Call, Console, Environment, codec, split_arguments
from winlab.commands.conditions import holds
from winlab.commands.jumps import ExitShell
from winlab.commands.loops import rounds
from winlab.commands.nodes import Block, For, If, Joined, Node, Redirect, Simple
from winlab.commands.streams import Sink, Streams
from winlab.commands.syntax import CmdSyntaxError
from winlab.host import paths
from winlab.host.errors import WindowsError
from winlab.host.host import Host
from winlab.host.messages import system_message

_MAX_DEPTH = 64
_RECURSION = (
    "******  B A T C H   R E C U R S I O N  exceeds STACK limits ******\r\n"
    "******       B A T C H   PROCESSING IS   A B O R T E D      ******"
)


class Shell:
    """One cmd.exe: its variables, its folder and its ERRORLEVEL on one host."""

    def __init__(
        self,
        host: Host,
        *,
        user: str,
        cwd: str,
        env: Environment,
        console: Console,
        delayed: bool = False,
        echo: bool = False,
    ) -> None:
        """``delayed`` is /v:on; ``echo`` shows a batch file's commands as @echo on does."""
        self.host = host
        self.user = user
        self.cwd = cwd
        self.env = env
        self.console = console
        self.delayed = delayed
        self.echo = echo
        self.errorlevel = 0
        self.batch: list[str] | None = None
        self.script: list[str] = []
        self.saved: list[tuple[Environment, str, bool]] = []
        self.folders: list[str] = []
        self.variables: dict[str, str] = {}

    # -- texts -----------------------------------------------------------------------------------

    @property
    def chinese(self) -> bool:
        """Whether texts are in Chinese on this console."""
        return self.host.locale.chinese and self.console.codepage in {936, 65001}

    def text(self, english: str, chinese: str) -> str:
        """Return the text in the console's language."""
        return chinese if self.chinese else english

    def message(self, code: int) -> str:
        """Return the system's text of a Win32 error."""
        return system_message(code, "zh-CN" if self.chinese else "en-US")

    def encode(self, text: str) -> bytes:
        """Encode text in the console's code page."""
        return text.encode(codec(self.console.codepage), "replace")

    def say(self, sink: Sink, text: str) -> None:
        """Write a line."""
        sink.data += self.encode(text + "\r\n")

    def fail(self, streams: Streams, text: str, code: int = 1) -> int:
        """Write a line to stderr and return ``code``."""
        self.say(streams.err, text)
        return code

    def windows(self, streams: Streams, error: WindowsError, code: int = 1) -> int:
        """Write the text of a Windows error to stderr and return ``code``."""
        return self.fail(streams, self.message(error.code), code)

    # -- lines -----------------------------------------------------------------------------------

    def look_up(self, name: str) -> str | None:
        """Return a variable as %NAME% sees it."""
        find = expansion.lookup(
            self.env,
            errorlevel=self.errorlevel,
            cwd=self.cwd,
            now=self.host.clock.local(),
            chinese=self.chinese,
        )
        return find(name)

    def run_line(self, line: str, streams: Streams) -> int:
        """Expand, parse and run one line (or a parenthesised group over several lines)."""
        if len(line) > syntax.LINE_LIMIT:
            self.errorlevel = self.fail(
                streams, self.text("The command line is too long.", "命令行太长。")
            )
            return self.errorlevel
        expanded = expansion.expand(line, self.look_up, batch=self.batch)
        try:
            node = syntax.parse(expanded)
        except CmdSyntaxError as exc:
            # assumed: 255, the code that is reported for lines cmd cannot parse
            self.errorlevel = self.fail(streams, self._syntax_text(exc), 255)
            if self.batch is not None:
                raise ExitShell(255, batch_only=True) from exc
            return self.errorlevel
        if node is not None:
            self.run(node, streams)
        return self.errorlevel

    def run_command(self, text: str, streams: Streams) -> int:
        """Parse and run a text that is expanded already, as ``call`` does."""
        try:
            node = syntax.parse(text)
        except CmdSyntaxError as exc:
            self.errorlevel = self.fail(streams, self._syntax_text(exc), 255)
            return self.errorlevel
        return 0 if node is None else self.run(node, streams)

    def _syntax_text(self, exc: CmdSyntaxError) -> str:
        if exc.token:
            return self.text(
                f"{exc.token} was unexpected at this time.", f"此时不应有 {exc.token}。"
            )
        return self.text("The syntax of the command is incorrect.", "命令语法不正确。")

    def run(self, node: Node, streams: Streams) -> int:
        """Run a tree; return the code that && and || look at."""
        self.console.depth += 1
        try:
            if self.console.depth > _MAX_DEPTH:
                self.say(streams.err, _RECURSION)
                raise ExitShell(255)
            if isinstance(node, Simple):
                return self._redirected(node.redirects, streams, node)
            if isinstance(node, Block):
                return self._redirected(node.redirects, streams, node)
            if isinstance(node, Joined):
                return self._joined(node, streams)
            if isinstance(node, If):
                return self._if(node, streams)
            return self._for(node, streams)
        finally:
            self.console.depth -= 1

    def _joined(self, node: Joined, streams: Streams) -> int:
        if node.operator == "|":
            return self._pipe(node, streams)
        # a long line is a deep left spine: walk it, so that its length costs no stack
        spine: list[Joined] = []
        first: Node = node
        while isinstance(first, Joined) and first.operator != "|":
            spine.append(first)
            first = first.left
        code = self.run(first, streams)
        for item in reversed(spine):
            if (item.operator == "&&" and code != 0) or (item.operator == "||" and code == 0):
                continue
            code = self.run(item.right, streams)
        return code

    def _pipe(self, node: Joined, streams: Streams) -> int:
        left = Sink(bytearray())
        self._child(node.left, Streams(streams.stdin, left, streams.err))
        code = self._child(node.right, Streams(bytes(left.data), streams.out, streams.err))
        self.errorlevel = code
        return code

    def _child(self, node: Node, streams: Streams) -> int:
        """Run one side of a pipe: in a shell of its own, whose changes are lost."""
        child = Shell(
            self.host,
            user=self.user,
            cwd=self.cwd,
            env=Environment(self.env),
            console=self.console,
            delayed=False,
        )
        child.variables = dict(self.variables)
        child.errorlevel = self.errorlevel
        try:
            child.run(node, streams)
        except ExitShell as exc:
            return exc.code
        return child.errorlevel

    # -- redirection -----------------------------------------------------------------------------

    def substitute(self, text: str) -> str:
        """Replace loop variables and, with /v:on, !NAME!."""
        done = expansion.expand_loop(text, self.variables, self.cwd)
        if self.delayed and "!" in done:
            done = expansion.expand(done, self.look_up, sign="!")
        return done

    def _redirected(
        self, redirects: tuple[Redirect, ...], streams: Streams, node: Simple | Block
    ) -> int:
        opened: list[Sink] = []
        try:
            inner = self._open(redirects, streams, opened)
        except WindowsError as exc:
            self.errorlevel = self.windows(streams, exc)
            return self.errorlevel
        try:
            if isinstance(node, Block):
                return 0 if node.body is None else self.run(node.body, inner)
            return self._simple(self.substitute(node.text), inner)
        finally:
            for sink in opened:
                self._flush(sink, streams)

    def _open(
        self, redirects: tuple[Redirect, ...], streams: Streams, opened: list[Sink]
    ) -> Streams:
        handles: dict[int, Sink] = {1: streams.out, 2: streams.err}
        stdin = streams.stdin
        for item in redirects:
            if item.target.startswith("&"):
                source = int(item.target[1])
                if source in handles:
                    handles[item.handle] = handles[source]
                continue
            name = self.substitute(item.target).replace('"', "")
            if item.handle == 0:
                stdin = b"" if paths.is_device(name) else self.host.files.read(name, self.cwd)
                continue
            if paths.is_device(name):
                handles[item.handle] = Sink(bytearray(), null=True)
                continue
            full = paths.normalise(name, self.cwd)
            if self.host.files.is_folder(full):
                raise WindowsError(5, full)
            if not item.append or not self.host.files.exists(full):
                self.host.files.write(full, b"")
            elif self.host.files.locked(full):
                raise WindowsError(32, full)
            sink = Sink(bytearray(), path=full)
            opened.append(sink)
            handles[item.handle] = sink
        return Streams(stdin, handles.get(1, streams.out), handles.get(2, streams.err))

    def _flush(self, sink: Sink, streams: Streams) -> None:
        if sink.path is None or not sink.data:
            return
        try:
            self.host.files.write(sink.path, bytes(sink.data), append=True)
        except WindowsError as exc:
            self.errorlevel = self.windows(streams, exc)

    # -- if and for ------------------------------------------------------------------------------

    def _if(self, node: If, streams: Streams) -> int:
        if holds(self, node) != node.negate:
            return self.run(node.then, streams)
        return self.run(node.other, streams) if node.other is not None else 0

    def _for(self, node: For, streams: Streams) -> int:
        before = dict(self.variables)
        code = 0
        try:
            for values in rounds(self, node):
                self.variables.update(values)
                code = self.run(node.body, streams)
        finally:
            self.variables = before
        return code

    def capture(self, line: str) -> bytes:
        """Run a command in a shell of its own and return its stdout, for ``for /f``."""
        sink = Sink(bytearray())
        try:
            node = syntax.parse(line)
        except CmdSyntaxError:
            return b""
        if node is not None:
            self._child(node, Streams(b"", sink, Sink(bytearray())))
        return bytes(sink.data)

    # -- simple commands -------------------------------------------------------------------------

    def _simple(self, text: str, streams: Streams) -> int:
        text = text.lstrip(" \t,;=@")
        if not text.strip():
            return 0
        name, rest, builtin = find_builtin(text)
        if builtin is not None:
            outcome = builtin(self, rest, streams)
            if outcome.sets:
                self.errorlevel = outcome.code
            return outcome.code
        if len(name) == 2 and name[1] == ":":
            if name.upper() not in self.host.files.drives:
                self.errorlevel = self.fail(streams, self.message(15))
                return self.errorlevel
            self.cwd = name.upper() + "\\"
            return 0
        self.errorlevel = self.external(name, rest, streams)
        return 9009 if self.errorlevel == 9009 else self.errorlevel

    def external(self, name: str, tail: str, streams: Streams) -> int:
        """Run a program or a batch file; return its exit code."""
        bare = name.replace('"', "")
        found = programs.resolve(self.host, bare, self.cwd, self.env)
        if found.batch is not None:
            return self.run_batch(found.batch, bare, tail, streams)
        if found.program is None:
            if found.known:
                self.host.not_modelled(f"command {found.name}")
                return self.fail(streams, f"winlab does not model {found.name}.exe")
            return self._not_found(bare, found, streams)
        call = Call(
            host=self.host,
            user=self.user,
            name=found.name,
            args=split_arguments(tail),
            tail=tail.strip(),
            cwd=self.cwd,
            env=Environment(self.env),
            console=self.console,
            stdin=streams.stdin,
        )
        code = programs.start(call, found.program)
        streams.out.data += call.out
        streams.err.data += call.err
        return code

    def _not_found(self, name: str, found: programs.Resolved, streams: Streams) -> int:
        if found.path_missing:
            self.say(streams.err, self.message(3))
            return 1
        self.host.not_modelled(f"program {name}")
        self.say(
            streams.err,
            self.text(
                f"'{name}' is not recognized as an internal or external command,\r\n"
                "operable program or batch file.",
                f"'{name}' 不是内部或外部命令，也不是可运行的程序\r\n或批处理文件。",
            ),
        )
        return 9009 if self.batch is not None else 1

    # -- batch files -----------------------------------------------------------------------------

    def run_batch(self, content: bytes, name: str, tail: str, streams: Streams) -> int:
        """Run a batch file in this shell, as ``call`` does."""
        return run_batch(self, content, name, tail, streams)
