"""The HTTP API: applications with a key submit products and see what became of them."""
