"""The resource kinds that ship with hacore: one module per kind, and their probes.

A provider does no I/O. It asks facts, compares them with what a spec wants and returns steps
(shell text as data) that the engine runs. It imports `hacore.contract` and what that names.
"""
