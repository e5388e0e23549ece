"""Every write of the roster that means something, one function a verb."""
