"""What pictures are made with: scenes, brands and templates."""
