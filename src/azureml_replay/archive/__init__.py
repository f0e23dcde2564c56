"""A folder that holds what a workspace held, and what has reached a target."""
