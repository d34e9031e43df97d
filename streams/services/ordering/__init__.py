"""Ordering: one picture, now, from workers or on this machine."""
