"""Drill: see run.py."""
