"""What has no tables and imports no app: errors, the API frame, drawing, exports, translations."""
