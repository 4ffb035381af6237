"""The agent: it listens, decides, and speaks."""

import os

# Before numpy is imported: OpenBLAS's threads spin while they wait, and on two cores they take from the models
# what they give to a mel spectrogram (12 ms instead of 0.7, and 60 ms of the recogniser's time).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
