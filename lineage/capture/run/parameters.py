"""What a run was told: parameters on its command line, variables that may be recorded."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from lineage.capture.run.scrub import scrub_arguments, scrub_text
from lineage.capture.run.secret_names import is_secret_name
from lineage.capture.run.urls import HIDDEN

__all__ = ["VARIABLES", "parameters", "variables"]

VARIABLES = (
    "CONDA_DEFAULT_ENV", "CONDA_PREFIX", "CUBLAS_WORKSPACE_CONFIG", "CUDA_*", "GOMP_*", "HIP_*",
    "JAX_*", "KMP_*", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "LOCAL_RANK", "MALLOC_*", "MKL_*",
    "NCCL_*", "NODE_RANK", "NUMBA_*", "NUMEXPR_*", "NVIDIA_VISIBLE_DEVICES", "OMP_*", "OPENBLAS_*",
    "PATH", "POLARS_MAX_THREADS", "PYTHONHASHSEED", "PYTHONOPTIMIZE", "PYTHONPATH", "PYTHONUTF8",
    "PYTORCH_*", "RANK", "RAYON_NUM_THREADS", "ROCR_*",
    "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_CLUSTER_NAME", "SLURM_CPUS_PER_TASK",
    "SLURM_JOB_ID", "SLURM_JOB_NAME", "SLURM_JOB_PARTITION", "SLURM_NNODES", "SLURM_NTASKS",
    "SLURM_PROCID", "SLURM_RESTART_COUNT", "SLURM_STEP_ID", "TF_CPP_*", "TF_CUDNN_*",
    "TF_DETERMINISTIC_*", "TF_ENABLE_*", "TF_FORCE_*", "TF_GPU_*", "TF_NUM_*", "TF_XLA_FLAGS",
    "TOKENIZERS_PARALLELISM", "TORCH_*", "TZ", "VECLIB_*", "VIRTUAL_ENV", "WORLD_SIZE",
    "XLA_FLAGS",
)  # fmt: skip
"""Variables that change what a job computes or where, and where it finds its programs and modules:
without those it does not run again. ``LINEAGE_VARIABLES`` adds to them."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}\Z")
_REAL = re.compile(r"[+-]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][+-]?[0-9]{1,3})?\Z")
_NAME = re.compile(r"[+~]{0,2}[A-Za-z_][\w./@-]*\Z")
_LONGEST = 4096


def parameters(arguments: list[str]) -> dict[str, Any]:
    """Parameters of a script's own arguments: ``--lr 0.1``, ``--lr=0.1``, ``lr=0.1``, ``--fast``.

    Numbers become numbers, a switch True, a repeated one a list. Secrets are hidden.
    """
    arguments = scrub_arguments(arguments)
    found: dict[str, Any] = {}
    at = 0
    while at < len(arguments):
        word = arguments[at]
        following = arguments[at + 1] if at + 1 < len(arguments) else None
        name, equals, value = word.partition("=")
        at += 1
        if word == "--":
            break
        if word.startswith("-") and not _number(word):
            name = name.lstrip("-")
            if not name:
                continue
            if equals:
                _add(found, name, value)
            elif following is not None and _is_value(following):
                _add(found, name, following)
                at += 1
            else:
                _add(found, name, None)
        elif equals and _NAME.match(name):
            _add(found, name, value)
    return found


def _is_value(word: str) -> bool:
    return not word.startswith("-") or _number(word) is not None


def _add(found: dict[str, Any], name: str, text: str | None) -> None:
    value: Any = True
    if text is not None:
        number = _number(text)
        value = number[0] if number else text[:_LONGEST]
    if is_secret_name(name) and text is not None:
        value = HIDDEN
    name = name[:256]
    if name not in found:
        found[name] = value
    elif isinstance(found[name], list):
        found[name].append(value)
    else:
        found[name] = [found[name], value]


def _number(text: str) -> tuple[int | float] | None:
    if _INTEGER.match(text):
        return (int(text),)
    if _REAL.match(text) and math.isfinite(float(text)):
        return (float(text),)
    return None


def variables(environ: Mapping[str, str], allowed: tuple[str, ...]) -> dict[str, str]:
    """Variables that may be recorded: by name, or by a prefix that ends in ``*``."""
    exact = {name for name in allowed if not name.endswith("*")}
    prefixes = tuple(name[:-1] for name in allowed if name.endswith("*"))
    return {
        name: HIDDEN if is_secret_name(name) else scrub_text(value)[:_LONGEST]
        for name, value in sorted(environ.items())
        if name in exact or (prefixes and name.startswith(prefixes))
    }
