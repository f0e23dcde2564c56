"""The two messages that azureml-mlflow adds. They refer to MLflow's own files, which must be loaded before them."""

from mlflow.protos import service_pb2

# isort: split

from azureml.mlflow._protos.aml_service_pb2 import GetRunDataStatus, LogBatchAsync

__all__ = ["GetRunDataStatus", "LogBatchAsync", "service_pb2"]
