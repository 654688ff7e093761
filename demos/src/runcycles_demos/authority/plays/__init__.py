"""What happens in each scene, and what must be true in the world afterwards."""
