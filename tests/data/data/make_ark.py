"""Makes features.ark, features.scp and features.json with kaldiio 2.18.1 and numpy, seed 0.

pip install kaldiio numpy; then: python make_ark.py (in this folder). One matrix of each binary kind
that Kaldi writes; features.json has what kaldiio reads back, at full precision.
"""

import json

import kaldiio
import numpy as np

random = np.random.RandomState(0)
kinds = {
    "float": (np.float32, None),
    "double": (np.float64, None),
    "column-bytes": (np.float32, 2),  # CM: percentile headers for each column, a byte a value
    "shorts": (np.float32, 3),  # CM2: two bytes a value
    "bytes": (np.float32, 5),  # CM3: a byte a value
}
for number, (kind, (dtype, method)) in enumerate(kinds.items()):
    matrix = (random.randn(12 + number, 7) * 3 - 1).astype(dtype)
    kaldiio.save_ark(
        "features.ark",
        {kind: matrix},
        scp="features.scp",
        append=number > 0,
        compression_method=method,
    )
expected = {}
for kind, matrix in kaldiio.load_scp("features.scp").items():
    expected[kind] = [[float(value) for value in row] for row in matrix]
json.dump(expected, open("features.json", "w"), indent=0)
