"""Rollback: which runs to undo, whether the hosts allow it, and the undo itself."""
