"""GET https://management.azure.com/subscriptions: the subscriptions of a login; azureml-core asks for them first.

From Microsoft's published reference (Subscriptions - List, 2022-12-01), not recorded.
"""

from __future__ import annotations

from starlette.responses import Response

from azureml_sandbox.arm.wire import no_version
from azureml_sandbox.protocol import bodies
from azureml_sandbox.world import Document, World

PATH = "/subscriptions"


def answer(world: World, tenant_id: str, query: bytes) -> Response:
    """The subscriptions of one tenant, on one page; a refusal (400) without `api-version`."""
    if b"api-version=" not in query:
        return no_version()
    seen = sorted({each.subscription_id for each in world.workspaces() if each.tenant_id == tenant_id})
    return bodies.arm_answer(
        {"value": [_subscription(each, tenant_id) for each in seen], "count": {"type": "Total", "value": len(seen)}}
    )


def _subscription(subscription_id: str, tenant_id: str) -> Document:
    return {
        "id": f"/subscriptions/{subscription_id}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": subscription_id,
        "tenantId": tenant_id,
        "displayName": f"Sandbox {subscription_id[:8]}",
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }
