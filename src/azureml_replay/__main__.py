"""`python -m azureml_replay` is the command `azureml-replay`."""

from azureml_replay.cli import main

if __name__ == "__main__":
    main()
