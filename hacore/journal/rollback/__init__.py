"""The tasks that undo recorded runs, their order, and the reloads they need."""
