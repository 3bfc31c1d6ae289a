"""`hacore init --from`: hosts that run already become a stack folder."""
