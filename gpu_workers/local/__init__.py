"""The operations on this machine: files in, files out, without tasks, a store or a broker."""
