"""How good and how fast is the ranker, with hundreds and with thousands of diagnoses, and beside the hybrid?

    python benchmarks/bench_rank.py [--size small|full] [--json]
    DIAGNOSIS_DATA=... python benchmarks/bench_rank.py --size full

- 500 diagnoses, 9,000 columns, 20,000 cases: beside LightGBM multiclass with the two settings that did best among those
  tried (it diverges with its own defaults); ours and the peers in turn, three rounds, CPU seconds of one thread, fit
  only, median.
- `full` adds 1,500 diagnoses, 200,000 cases, 5,000 codes (wall seconds of a whole fit with two threads, peak memory,
  calibration on unseen cases), the ranker beside the hybrid on 49 diagnoses and, where DIAGNOSIS_DATA names the folder
  of the real sets, on phenopackets (diseases with 8 cases or more, 5 folds by publication) and on mz4 and gmd12.

The made-up cohorts come from `cohort` below. Diseases stand in families of ten that share most of their findings;
P(finding | disease) is Beta(0.8, 1.4), lower in some of a disease's three forms, so that findings are not independent;
prevalence is a Dirichlet draw. Of what a patient has, 35 % is told; each finding of the disease, and each of a rival
of the family, is asked with chance 20 %, and what is asked and not there is recorded as absent; a few more findings are
recorded by their popularity alone. Everything else stays unrecorded.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import lightgbm
import numpy as np
from scipy import sparse

from diagnosis.evaluation.calibration import calibration_of
from diagnosis.features import FindingEncoder
from diagnosis.models import HybridModel, RankerModel, log_softmax
from diagnosis.models.calibration import log_loss
from diagnosis.models.folds import grouped_folds
from diagnosis.readers import read_records

PEERS = {"LightGBM 40 x 7 leaves": (40, 7), "LightGBM 60 x 4 leaves": (60, 4)}
_FAMILY, _TYPICAL, _FORMS, _TOLD, _ASKED = 10, 24, 3, 0.35, 0.2
Cases = tuple[sparse.csr_matrix, np.ndarray]
