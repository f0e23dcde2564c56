"""A local workspace that speaks the Azure Machine Learning wire."""
