"""Saved plans: `plan --out FILE`, `show FILE` and `apply FILE`."""
