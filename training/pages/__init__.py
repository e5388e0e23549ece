"""Pages of people without a desk."""
