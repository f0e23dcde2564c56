"""Which servers are believed, beyond what the environment says for all (pure)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Which certificate of a server is believed, and which is shown to it. A file comes with what names it."""

    certificates: tuple[str, str] | None = None
    """What names a file of certificates, and the file; None: those of the system, or of the environment."""
    own: tuple[str, str] | None = None
    """The same of a file with a certificate and its key, for servers that ask for one."""
    anything: bool = False
    """True where the server's certificate is not looked at."""
