"""Command line."""


def main() -> None:
    """Not there yet."""
