"""Access: who may ask, and how much: keys, signing in, quotas."""
