"""Pages for people: home, own work, coverage, report. HTML that works without script."""
