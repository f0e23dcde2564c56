"""Carry Azure Machine Learning job history from one workspace to another, and prove it."""
