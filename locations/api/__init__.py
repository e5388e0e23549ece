"""Read access to the gazetteer under /api/v1/."""
