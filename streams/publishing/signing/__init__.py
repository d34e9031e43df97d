"""Signing: every published file says by C2PA how it came about, and a later change of it is found out."""
