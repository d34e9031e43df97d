"""Review: cases, what people decide and mend, how well they do it, and what is learned from it."""
