"""From an asset that passed its gates to live renditions, a manifest and the events that say so."""
