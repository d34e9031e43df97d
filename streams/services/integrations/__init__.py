"""Integrations: webhooks and connectors, as commands and routes handle them."""
