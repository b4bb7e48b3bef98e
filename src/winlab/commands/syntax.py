"""cmd.exe's grammar: a line in, a tree out.

Sources: "cmd", "Command redirection operators", "for", "if" (Microsoft Learn). Phases follow what
is known of the real parser: percent expansion first (see `expansion`), then escapes, quotes and
operators here, for-variables and delayed expansion at execution.
"""

from __future__ import annotations

from winlab.commands.nodes import Block, For, If, Joined, Node, Redirect, Simple

LINE_LIMIT = 8191
_DELIMITERS = " \t,;="
_MAX_NESTED = 60


class CmdSyntaxError(Exception):
    """The line cannot be parsed; ``token`` is what was unexpected, "" for "incorrect syntax"."""

    def __init__(self, token: str = "") -> None:
        """Keep the unexpected token."""
        super().__init__(token)
        self.token = token


class _Parser:
    __slots__ = ("at", "depth", "nested", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.nested = 0

    # -- characters ------------------------------------------------------------------------------

    def peek(self, count: int = 1) -> str:
        return self.text[self.at : self.at + count]

    def skip(self, characters: str) -> None:
        while self.at < len(self.text) and self.text[self.at] in characters:
            self.at += 1

    def unexpected(self) -> CmdSyntaxError:
        rest = self.text[self.at :].lstrip(" \t")
        for operator in ("&&", "||", "&", "|", ")", "(", "<", ">"):
            if rest.startswith(operator):
                return CmdSyntaxError(operator)
        return CmdSyntaxError(rest.split(None, 1)[0] if rest.split() else "")

    # -- operators, loosest first ----------------------------------------------------------------

    def sequence(self) -> Node | None:
        node: Node | None = None
        while True:
            self.skip(" \t\r\n,;=")
            if self.at >= len(self.text) or (self.depth and self.peek() == ")"):
                return node
            if node is None and self.peek() in {"&", "|"}:
                raise self.unexpected()
            right = self.either()
            node = right if node is None else Joined("&", node, right)
            self.skip(" \t")
            if self.peek() == "&" or self.peek() == "\n":
                self.at += 1
                if self.peek() in {"&", "|"} and self.peek():
                    raise self.unexpected()
            elif self.at < len(self.text) and not (self.depth and self.peek() == ")"):
                if self.peek() == "\r":
                    continue
                raise self.unexpected()

    def either(self) -> Node:
        node = self.both()
        while self._operator("||"):
            node = Joined("||", node, self.both())
        return node

    def both(self) -> Node:
        node = self.pipe()
        while self._operator("&&"):
            node = Joined("&&", node, self.pipe())
        return node

    def pipe(self) -> Node:
        node = self.command()
        while True:
            self.skip(" \t")
            if self.peek() != "|" or self.peek(2) == "||":
                return node
            self.at += 1
            node = Joined("|", node, self.command())

    def _operator(self, operator: str) -> bool:
        self.skip(" \t")
        if self.peek(2) != operator:
            return False
        self.at += 2
        return True

    # -- commands --------------------------------------------------------------------------------

    def command(self) -> Node:
        # assumed: cmd refuses what is nested too deep; the number is ours
        if self.nested >= _MAX_NESTED:
            raise CmdSyntaxError("")
        self.nested += 1
        try:
            return self._command()
        finally:
            self.nested -= 1

    def _command(self) -> Node:
        self.skip(_DELIMITERS + "@\r\n")
        if self.at >= len(self.text) or self.peek() in {"&", "|"}:
            raise self.unexpected()
        if self.peek() == ")" and self.depth:
            raise self.unexpected()
        if self.peek() == "(":
            return self.block()
        word = self._bare_word().lower()
        if word == "for":
            return self.loop()
        if word == "if":
            return self.condition()
        if word == "rem" or word.startswith("rem."):
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end
            return Simple("rem")
        return self.simple()

    def _bare_word(self) -> str:
        end = self.at
        while end < len(self.text) and self.text[end] not in _DELIMITERS + '&|<>()"\r\n^/':
            end += 1
        return self.text[self.at : end]

    def block(self) -> Node:
        self.at += 1
        self.depth += 1
        body = self.sequence()
        if self.peek() != ")":
            raise CmdSyntaxError("")
        self.at += 1
        self.depth -= 1
        redirects: list[Redirect] = []
        while True:
            self.skip(" \t")
            found = self._redirect()
            if found is None:
                return Block(body, tuple(redirects))
            redirects.append(found)

    def simple(self) -> Node:
        pieces: list[str] = []
        redirects: list[Redirect] = []
        quoted = False
        while self.at < len(self.text):
            char = self.peek()
            if char == '"':
                quoted = not quoted
            elif char == "\n":
                break
            elif not quoted:
                if char == "^":
                    self._escape(pieces)
                    continue
                if char in "&|" or (char == ")" and self.depth):
                    break
                boundary = not pieces or pieces[-1] in _DELIMITERS
                if char in "<>" or (
                    char.isdecimal()
                    and boundary
                    and self.text[self.at + 1 : self.at + 2] in {"<", ">"}
                ):
                    found = self._redirect()
                    if found is not None:
                        redirects.append(found)
                        continue
            pieces.append(char)
            self.at += 1
        return Simple("".join(pieces).rstrip("\r"), tuple(redirects))

    def _escape(self, pieces: list[str]) -> None:
        """Take the character after a caret literally; a caret at the end of a line joins lines."""
        self.at += 1
        if self.peek(2) == "\r\n":
            self.at += 2
        elif self.peek() == "\n":
            self.at += 1
        if self.at < len(self.text):
            pieces.append(self.peek())
            self.at += 1

    def _redirect(self) -> Redirect | None:
        start = self.at
        handle = -1
        if self.peek().isdecimal():
            handle = int(self.peek())
            self.at += 1
        kind = self.peek()
        if kind not in {"<", ">"}:
            self.at = start
            return None
        self.at += 1
        append = kind == ">" and self.peek() == ">"
        if append:
            self.at += 1
        if handle < 0:
            handle = 0 if kind == "<" else 1
        if self.peek() == "&":
            target = "&" + self.text[self.at + 1 : self.at + 2]
            if not target[1:].isdecimal():
                raise self.unexpected()
            self.at += 2
            return Redirect(handle, target, append)
        self.skip(_DELIMITERS)
        target = self.word()
        if not target:
            raise self.unexpected()
        return Redirect(handle, target, append)

    def word(self) -> str:
        """Read one token: quotes kept, escapes resolved, up to a delimiter or an operator."""
        pieces: list[str] = []
        quoted = False
        while self.at < len(self.text):
            char = self.peek()
            if char == '"':
                quoted = not quoted
            elif char in "\r\n":
                break
            elif not quoted:
                if char == "^":
                    self._escape(pieces)
                    continue
                if char in _DELIMITERS + "&|<>" or (char == ")" and self.depth):
                    break
            pieces.append(char)
            self.at += 1
        return "".join(pieces)

    # -- if and for ------------------------------------------------------------------------------

    def condition(self) -> Node:
        self.at += 2
        negate = ignore_case = False
        while True:
            self.skip(" \t,;")
            low = self.text[self.at : self.at + 4].lower()
            if low.startswith("/i"):
                ignore_case = True
                self.at += 2
            elif low.rstrip() == "not" and low[3:].isspace():
                negate = True
                self.at += 3
            else:
                break
        first = self._operand()
        kind = first.lower()
        if kind in {"exist", "errorlevel", "defined", "cmdextversion"}:
            self.skip(" \t")
            left, right = self.word(), ""
        else:
            left = first
            self.skip(" \t")
            if self.peek(2) == "==":
                kind = "=="
                self.at += 2
            else:
                kind = self.word().upper()
                if kind not in {"EQU", "NEQ", "LSS", "LEQ", "GTR", "GEQ"}:
                    raise CmdSyntaxError(kind.lower() or "")
            self.skip(" \t")
            right = self._operand()
        if not left and kind in {"exist", "errorlevel", "defined"}:
            raise CmdSyntaxError("")
        then = self.command()
        other = self._else() if isinstance(then, Block) else None
        return If(kind, negate, ignore_case, left, right, then, other)

    def _operand(self) -> str:
        pieces: list[str] = []
        quoted = False
        while self.at < len(self.text):
            char = self.peek()
            if char == '"':
                quoted = not quoted
            elif char in "\r\n":
                break
            elif not quoted:
                if char == "^":
                    self._escape(pieces)
                    continue
                if char in " \t,;&|<>" or (char == "=" and self.peek(2) == "=="):
                    break
            pieces.append(char)
            self.at += 1
        return "".join(pieces)

    def _else(self) -> Node | None:
        mark = self.at
        self.skip(" \t")
        if self.peek(4).lower() == "else" and self.text[self.at + 4 : self.at + 5] in set(
            " \t(\r\n"
        ):
            self.at += 4
            return self.command()
        self.at = mark
        return None

    def loop(self) -> Node:
        self.at += 3
        kind = options = ""
        self.skip(_DELIMITERS)
        while self.peek() == "/":
            kind = self.text[self.at + 1 : self.at + 2].upper()
            if kind not in {"D", "R", "L", "F"} or not kind:
                raise CmdSyntaxError(self.word())
            self.at += 2
            self.skip(_DELIMITERS)
            if kind in {"F", "R"} and self.peek() != "%":
                options = self.word()
                self.skip(_DELIMITERS)
        name = self.word()
        if len(name) != 2 or name[0] != "%":
            raise CmdSyntaxError(name)
        self.skip(_DELIMITERS)
        if self.word().lower() != "in":
            raise CmdSyntaxError(name)
        self.skip(_DELIMITERS)
        items = self._items()
        self.skip(_DELIMITERS + "\r\n")
        if self.word().lower() != "do":
            raise self.unexpected()
        return For(kind, options, name[1], items, self.command())

    def _items(self) -> str:
        if self.peek() != "(":
            raise self.unexpected()
        self.at += 1
        pieces: list[str] = []
        quoted = False
        while self.at < len(self.text):
            char = self.peek()
            if char == '"':
                quoted = not quoted
            elif not quoted:
                if char == "^":
                    self._escape(pieces)
                    continue
                if char == ")":
                    self.at += 1
                    return "".join(pieces)
            pieces.append(char)
            self.at += 1
        raise CmdSyntaxError("")


def parse(text: str) -> Node | None:
    """Return the tree of a line after percent expansion; None when there is nothing to do.

    Raises:
        CmdSyntaxError: something is unexpected or missing.
    """
    parser = _Parser(text)
    node = parser.sequence()
    if parser.at < len(parser.text):
        raise parser.unexpected()
    return node
