"""What every app writes and none owns: who moved what, from where to where, when and why."""
