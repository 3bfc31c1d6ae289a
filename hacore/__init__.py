"""hacore: Terraform for pairs of real Linux hosts."""

__version__ = "0.1.0.dev0"
