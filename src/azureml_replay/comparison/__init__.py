"""What differs between what should be there and what is: runs, rows, files (pure)."""
