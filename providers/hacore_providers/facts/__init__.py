"""Questions to hosts: read-only shell and the pure functions that read its answers."""
