"""What people and browsers see: the local CDN and the contact sheet."""
