"""A product photograph: fetched, recognised, decoded."""
