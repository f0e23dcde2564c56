"""The command line, `azureml-sandbox`."""
