"""`hacore lint`: what is wrong with the keepalived.conf of a pair, without a stack, without a state.

    read each file -> instances -> rules of one file -> pairs of instances across files -> rules of the pair

The rules of an instance and of a pair are those of the kind `vrrp_instance`; what is here finds the instances in
files, decides which of them belong together, and has the rules that only a file of somebody else needs.
"""

from __future__ import annotations
