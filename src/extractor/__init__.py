"""The original tool's first command, by its name. All of it is in `azureml_replay`."""
