"""What the engines that run in ONNX Runtime share."""

from __future__ import annotations

from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

REFUSALS = (
    RuntimeError,
    ValueError,
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
"""what ONNX Runtime raises; its own have no base in common but Exception"""
