"""What should be there: the archive's histories as steps of a target (pure)."""
