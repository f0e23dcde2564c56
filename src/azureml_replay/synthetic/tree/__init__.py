"""Plans jobs as trees of nodes (pure)."""
