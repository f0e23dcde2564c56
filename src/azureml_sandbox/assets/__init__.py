"""What runs refer to, as every service sees it: where it lies, how it is kept, what becomes of what was sent."""
