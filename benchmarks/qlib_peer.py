"""The process that computes Qlib's Alpha158, run by the Python of Qlib's own environment: ``python qlib_peer.py DATA RECORD VALUES``.

Only the computation is timed: not imports, not the handler's processors, and in one process, which costs Qlib the least.
"""

import json
import sys
import time
from pathlib import Path


def main(data: str, record: str, values: str) -> None:
    """Compute, and write the seconds and the values."""
    import qlib
    from qlib.contrib.data.loader import Alpha158DL
    from qlib.data import D

    qlib.init(provider_uri=data, region="us", kernels=1)
    fields, names = Alpha158DL.get_feature_config()
    instruments = D.instruments("all")
    D.features(instruments, fields[:1], freq="day")  # opens what is opened once
    began, cpu_began = time.perf_counter(), time.process_time()
    computed = D.features(instruments, fields, freq="day", disk_cache=0)
    measured = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu_began, "rows": len(computed)}
    computed.columns = names
    computed.astype("float32").to_parquet(values)
    Path(record).write_text(json.dumps(measured))


if __name__ == "__main__":
    main(*sys.argv[1:4])
