"""What must always hold: one small file per promise, for the plan and for the real engine."""
