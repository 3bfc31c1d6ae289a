"""Shell completion: what can be typed next, and the scripts of the shells."""
