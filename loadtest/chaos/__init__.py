"""Chaos: the whole system on real servers, while its parts are killed, paused, starved and given back."""
