"""What commands share: they return typed views and never print."""
