"""python -m azureml_sandbox."""

from azureml_sandbox.cli.command import main

main()
