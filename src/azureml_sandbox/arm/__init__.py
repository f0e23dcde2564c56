"""Azure Resource Manager's routes: the workspace, its jobs, assets, datastores, computes; subscriptions, discovery."""
