"""How many workers a pool wants, and how an autoscaler hears of it."""
