"""From a workspace into an archive."""
