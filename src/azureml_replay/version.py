"""Which release this is: told by the command, written on what it makes (pure)."""

__version__ = "0.1.0"
