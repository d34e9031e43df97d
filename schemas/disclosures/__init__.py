"""Disclosure: what has to be told of how a picture was made, where, and in which fields; as dated YAML rules. Pure."""
