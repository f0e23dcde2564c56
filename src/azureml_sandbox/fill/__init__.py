"""Histories to fill a workspace with."""
