"""What is on the shelf of one SKU, and what of it is set aside for orders."""
