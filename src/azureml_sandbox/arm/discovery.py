"""GET https://{region}.api.azureml.ms/discovery: where a region's services answer; no token needed, recorded."""

from __future__ import annotations

from starlette.responses import Response

from azureml_sandbox.protocol import bodies


def answer(region: str) -> Response:
    """The addresses of a region's services; `history` names the old host, clients use `api`."""
    old = f"https://{region}.experiments.azureml.net"
    return bodies.answer(
        {
            "api": f"https://{region}.api.azureml.ms",
            "catalog": "https://catalog.cortanaanalytics.com",
            "experimentation": old,
            "gallery": "https://gallery.cortanaintelligence.com/project",
            "history": old,
            "hyperdrive": old,
            "labeling": old,
            "modelmanagement": f"https://{region}.modelmanagement.azureml.net",
            "pipelines": f"https://{region}.aether.ms",
            "studio": "https://ml.azure.com",
        }
    )
