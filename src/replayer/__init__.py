"""The original tool's second command, by its name. All of it is in `azureml_replay`."""
