"""Recovery: dead letters, and facts made anew from the topics."""
