"""A local Azure Machine Learning workspace: a server that Microsoft's own clients talk to as they talk to Azure."""
