"""Connectors: shops and PIMs. What they sell comes in, checked pictures of it go back as their media."""
