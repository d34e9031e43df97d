"""What is wrong with the pictures that a shop shows today, and what it would take to mend them. Nothing is changed."""
