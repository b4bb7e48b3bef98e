"""``set /a``: 32-bit integer arithmetic on variables. Source: "set" (Microsoft Learn)."""

from __future__ import annotations

import re

from winlab.commands.call import Environment

_TOKEN = re.compile(
    r"\s*(0[xX][0-9a-fA-F]+|\d+|[A-Za-z_][\w.]*|<<=|>>=|<<|>>|[-+*/%&|^]=|[-+*/%&|^~!()=,])"
)
_MAX_NESTED = 40
_LEVELS = (("|",), ("^",), ("&",), ("<<", ">>"), ("+", "-"), ("*", "/", "%"))


class ArithmeticFailure(Exception):  # noqa: N818 - named for what cmd reports
    """The expression is wrong; ``code`` is what ERRORLEVEL becomes."""

    def __init__(self, code: int, english: str, chinese: str) -> None:
        """Keep code and texts."""
        super().__init__(code)
        self.code, self.english, self.chinese = code, english, chinese


def _missing() -> ArithmeticFailure:
    return ArithmeticFailure(1073750988, "Missing operand.", "缺少操作数。")


def _wrap(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


class _Evaluator:
    def __init__(self, text: str, env: Environment) -> None:
        self.env = env
        self.tokens: list[str] = []
        at = 0
        text = text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise ArithmeticFailure(
                    1073750990,
                    "Invalid number.  Numeric constants are either decimal (17),\r\n"
                    "hexadecimal (0x11), or octal (021).",
                    "无效数字。数字常数只能是十进制(17)，十六进制(0x11)或\r\n八进制(021)。",
                )
            self.tokens.append(found[1])
            at = found.end()
        self.at = 0
        self.nested = 0

    def peek(self, ahead: int = 0) -> str:
        place = self.at + ahead
        return self.tokens[place] if place < len(self.tokens) else ""

    def all(self) -> int:
        value = self.assignment()
        while self.peek() == ",":
            self.at += 1
            value = self.assignment()
        if self.peek():
            raise _missing()
        return value

    def assignment(self) -> int:
        name, operator = self.peek(), self.peek(1)
        if name[:1].isalpha() or name[:1] == "_":
            if operator == "=":
                self.at += 2
                value = self.assignment()
                self.env.put(name, str(value))
                return value
            if len(operator) > 1 and operator.endswith("="):
                self.at += 2
                value = self.apply(operator[:-1], self.variable(name), self.assignment())
                self.env.put(name, str(value))
                return value
        return self.level(0)

    def variable(self, name: str) -> int:
        text = self.env.find(name) or "0"
        try:
            return _wrap(int(text, 0))
        except ValueError:
            return 0

    def level(self, depth: int) -> int:
        if depth == len(_LEVELS):
            return self.unary()
        value = self.level(depth + 1)
        while self.peek() in _LEVELS[depth]:
            operator = self.peek()
            self.at += 1
            value = self.apply(operator, value, self.level(depth + 1))
        return value

    def unary(self) -> int:
        self.nested += 1
        if self.nested > _MAX_NESTED:
            raise _missing()
        try:
            return self._unary()
        finally:
            self.nested -= 1

    def _unary(self) -> int:
        word = self.peek()
        self.at += 1
        if word in {"-", "+", "~", "!"}:
            value = self.unary()
            return _wrap({"-": -value, "+": value, "~": ~value, "!": int(not value)}[word])
        if word == "(":
            value = self.assignment()
            if self.peek() != ")":
                raise ArithmeticFailure(1073750989, "Unbalanced parenthesis.", "括号不对称。")
            self.at += 1
            return value
        if word[:1].isdecimal():
            octal = len(word) > 1 and word[0] == "0" and word[1] not in "xX"
            try:
                return _wrap(int(word, 8) if octal else int(word, 0))
            except ValueError as exc:
                raise _missing() from exc
        if word[:1].isalpha() or word[:1] == "_":
            return self.variable(word)
        raise _missing()

    @staticmethod
    def apply(operator: str, a: int, b: int) -> int:
        if operator in {"/", "%"} and b == 0:
            raise ArithmeticFailure(1073750993, "Divide by zero error.", "除数为零错误。")
        quotient = 0 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        values = {
            "+": a + b,
            "-": a - b,
            "*": a * b,
            "/": quotient,
            "%": a - quotient * b,
            "&": a & b,
            "|": a | b,
            "^": a ^ b,
            "<<": a << (b & 31),
            ">>": a >> (b & 31),
        }
        return _wrap(values[operator])


def evaluate(text: str, env: Environment) -> int:
    """Return the value of an expression, assigning variables as it says.

    Raises:
        ArithmeticFailure: an operand is missing, a number is wrong, or a division by zero.
    """
    return _Evaluator(text, env).all()
