"""Fleets: many stacks, each with a state of its own, planned and applied in waves.

rollout      pure: what may begin now, from what was done
record       what was done, on disk before and after each unit: the truth of a rollout
units        one stack: plan, apply or resume, drift, roll back
engines      where units run: in this process, or in a pool of processes
coordinator  begins units as the rollout allows, and writes the record

Nothing outside of this package and the command `fleet` imports it.
"""
