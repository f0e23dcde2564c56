"""The data plane's services for what runs refer to: data, models, datasets of the old kind."""
