"""The metric service: its routes, and its checks of what clients send."""
