"""Several workers for one command: parts of an archive are handed out, fenced, and brought home."""
