"""Plans what a target should hold: the archive's histories as steps (pure)."""
