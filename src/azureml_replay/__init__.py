"""Carry Azure Machine Learning job history from one workspace to another, and prove it."""

__version__ = "0.1.0"
