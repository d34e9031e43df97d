"""Webhooks out: what was published, told to whoever asked for it, by Standard Webhooks 1.0.0."""
