"""The release: shown by the command, and written on what it makes (pure)."""

__version__ = "0.1.0"
