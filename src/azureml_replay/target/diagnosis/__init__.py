"""Looks beforehand for what would stand in the way of a migration."""
