"""The server's process and its state on disk."""
