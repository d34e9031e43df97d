"""The origin, as browsers see it."""
