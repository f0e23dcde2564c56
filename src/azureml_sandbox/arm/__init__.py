"""Azure Resource Manager: the workspace, its jobs, assets, datastores."""
