"""What a target holds, against what it should."""
