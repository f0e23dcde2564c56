"""A user's trainings as submitted jobs: `scripts` run on the compute, `submit.py` sends them, `automl.py` is written.

`azureml-sandbox train` puts them together (`train.py`).
"""
