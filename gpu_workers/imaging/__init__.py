"""Pixels: colours, light, resampling, encoding and what files say of themselves."""
