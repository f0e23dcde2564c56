"""`python -m azureml_sandbox`: the command `azureml-sandbox`."""

from azureml_sandbox.cli.command import main

main()
