"""The one error that host state raises: a Win32 error code with what it was about."""

from __future__ import annotations

from winlab.host.messages import system_message


class WindowsError(Exception):
    """A Windows rule refused an operation.

    ``code`` is the Win32 error number (winerror.h); ``subject`` names the path, service or account.
    The text is looked up per language, so that callers print what the host would print.
    """

    def __init__(self, code: int, subject: str = "") -> None:
        """Keep the number and the subject; the message is derived."""
        super().__init__(code, subject)
        self.code = code
        self.subject = subject

    def text(self, locale: str) -> str:
        """Return the system's message for ``code`` in ``locale`` ("en-US" or "zh-CN")."""
        return system_message(self.code, locale)

    def __str__(self) -> str:
        """Compose number, subject and the English text."""
        about = f" ({self.subject})" if self.subject else ""
        return f"Windows error {self.code}{about}: {self.text('en-US')}"


class NotModelledError(Exception):
    """Something real Windows has and the lab does not: it fails by name, never silently."""

    def __init__(self, what: str) -> None:
        """``what`` names the executable, option, provider or key."""
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        """Name the missing part."""
        return f"winlab does not model {self.what}"
