"""Jobs as trees of nodes: what is to be submitted (pure)."""
