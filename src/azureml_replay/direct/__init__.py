"""Replay into run history itself: no compute."""
