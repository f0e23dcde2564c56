"""python -m azureml_sandbox."""

from azureml_sandbox.command import main

main()
