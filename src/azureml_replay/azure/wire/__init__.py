"""The wire's words to values and back: the only place with wire keys (pure)."""
