"""Questions that span models. Nothing here writes."""
