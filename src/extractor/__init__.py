"""The original tool's first command, under its name; the code is in `azureml_replay`."""
