"""Questions to hosts: read-only shell, and the pure functions that parse its output."""
