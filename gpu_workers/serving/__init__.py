"""Networks that are open and warm, and the batches that they answer."""
