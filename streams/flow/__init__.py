"""The way of an event: decoded, answered, planned, judged."""
