"""The gazetteer: units of administration, their names and validity, and who may see which of them."""
