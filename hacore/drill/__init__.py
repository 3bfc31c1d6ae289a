"""The drill: a fail-over is caused, measured from outside, and compared with its budget."""
