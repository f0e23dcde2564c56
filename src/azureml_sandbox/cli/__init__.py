"""The command `azureml-sandbox`."""
