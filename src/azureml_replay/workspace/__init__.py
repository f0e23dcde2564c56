"""The protocols for reading and writing a workspace, and their values (no I/O)."""
