"""Releases: recipes, channels, policies, models and brands; seen before they count, and taken back."""
