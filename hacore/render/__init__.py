"""Rendering: plans, progress, results and reports as text and JSON.

Pure functions from values to text, and two listeners. Only `Terminal` writes, and only to the
streams that it was given. Import the modules themselves: each command needs few of them.
"""
