"""Models of radiographs: their folders, what they are given, what they answer, how they are served and trained."""

import os

# Before numpy is first imported. The matrices here are small: several BLAS threads on busy cores wait for each other
# a hundred times longer than they compute (`Atlas.familiarity`: 11 ms against 0.10 ms).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
