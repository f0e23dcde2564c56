"""How a target is treated: what it was seen to keep."""
