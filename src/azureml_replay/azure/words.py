"""Azure ML's words for the sender: its errors, the rights that a refusal was about, and how to log in."""

from __future__ import annotations

from collections.abc import Mapping

from azureml_replay.azure import rights
from azureml_replay.azure.wire.decode import Problem, problem
from azureml_replay.errors import Remedy


class AzureWords:
    """The words of Azure ML workspaces."""

    login_help = "log in with `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"

    def complaint(self, body: bytes, headers: Mapping[str, str]) -> Problem:
        """The refusal in an error's body; storage has the code of some in a header alone."""
        return problem(body, headers.get("x-ms-error-code"))

    def remedy(self, service: str, method: str, url: str, message: str, *, forbidden: bool) -> Remedy | None:
        """The right that the refusal names, else, where one lacked, the one that the route needs."""
        return rights.remedy_of(message, rights.needed(service, method, url) if forbidden else None)


AZURE_WORDS = AzureWords()
