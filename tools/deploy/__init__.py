"""Commands that drive the engine and the running application."""
