"""The jobs of `azureml-sandbox train`: `submit.py` submits them, `scripts/` are what they run.

`automl.py` makes the documents of the AutoML job beside them.
"""
