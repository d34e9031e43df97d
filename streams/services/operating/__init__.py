"""Operating: the roles, and what keeps an installation going."""
