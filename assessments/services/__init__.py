"""Every write that means something, one function a verb."""
