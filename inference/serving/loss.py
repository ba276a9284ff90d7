"""A driver that goes away under a process: how it is told."""

from __future__ import annotations

from inference.serving.memory import causes, is_out_of_memory

# What torch and ONNX Runtime say where a call into the driver failed. After most of these a process has no use of its
# devices any more, however often it loads a model again.
SAYS_SO = ("cuda error", "cuda failure", "cuda driver error", "no cuda gpus are available", "nvml")


def is_device_lost(error: BaseException) -> bool:
    """Return True if an error says that the driver or its device failed; memory that ran out is none.

    By name, since torch need not be installed: torch.AcceleratorError is a RuntimeError.

    References
    ----------
    * https://docs.nvidia.com/cuda/cuda-runtime-api: errors after which "the process must be terminated and relaunched"
    """
    return not is_out_of_memory(error) and any(
        type(each).__name__ == "AcceleratorError" or any(words in str(each).lower() for words in SAYS_SO)
        for each in causes(error)
    )
