"""Kinds of shops and PIMs, a file each: its name is the kind's, and its `SHOP` the class. Nothing else lists them."""
