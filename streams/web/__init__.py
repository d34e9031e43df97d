"""The desk: pages on which people see what becomes of their products, decide, and mend."""
