"""The original tool's second command, under its name; the code is in `azureml_replay`."""
