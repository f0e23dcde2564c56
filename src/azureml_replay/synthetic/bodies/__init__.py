"""Trees as the bodies of ARM requests."""
