"""The one place where TensorFlow is imported.

tensorflow-model-optimization works with Keras 2 alone, and TensorFlow decides which Keras it
hands out when it is first imported: so this module must come before any other import of it.
"""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"
# Without this every start complains that there is no GPU.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
import tf_keras as keras

__all__ = ["keras", "tf"]
