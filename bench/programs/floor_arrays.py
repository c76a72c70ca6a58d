"""The floor of the array row: numpy saves it and reads it."""

import numpy as np

np.save("array.npy", np.ones(25_000_000))
assert np.load("array.npy", mmap_mode="r").sum() == 25_000_000
