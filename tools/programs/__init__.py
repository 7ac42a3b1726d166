"""Programs that the tests and checks use, built or found on this machine."""
