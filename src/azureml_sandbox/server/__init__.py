"""The server's process, its files in DIR, and the ways for other processes to start it, stop it and write beside it."""
