"""Shell completion: the possible next words, and the scripts of the shells."""
