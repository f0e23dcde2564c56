"""python -m azureml_sandbox."""

from azureml_sandbox.cli import main

main()
