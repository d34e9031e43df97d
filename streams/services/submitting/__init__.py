"""Submitting: events from files and applications, and what has become of them."""
