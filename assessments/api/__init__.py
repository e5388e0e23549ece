"""`/api/v1/`: read access for programs, within the reader's own units."""
