"""The one place where TensorFlow is imported.

tensorflow-model-optimization works with Keras 2 alone, and TensorFlow decides which Keras it
hands out when it is first imported: so this module must come before any other import of it.
"""

import os
import re

from device.platform.stderr_filter import filtered_stderr

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Said at every start, whatever the log level: that logging begins, and that there is no GPU.
_CHATTER = re.compile(rb"WARNING: All log messages before absl|[IWE]\d{4} \d\d:\d\d:")

with filtered_stderr(lambda line: _CHATTER.match(line) is not None):
    import tensorflow as tf
    import tf_keras as keras

    tf.config.list_physical_devices()

# Advice to whoever writes a program with it, not to whoever uses one.
tf.get_logger().setLevel("ERROR")

__all__ = ["keras", "tf"]
