"""Live: what a shopper is served, and what it says of itself."""
