"""Rows of DTLS-SRTP."""
import json
import subprocess

from rowkit import Row
from switch import BUILD, SWITCH_CORE, pinned


def row_dtls():
    """handshakes of DTLS-SRTP, and what an association holds"""
    r = json.loads(pinned(SWITCH_CORE, lambda: subprocess.run([BUILD / "bench/dtls/bench_dtls"], check=True, capture_output=True, text=True).stdout))
    value = f"{r['server_per_s']:,}/s as server, {r['client_per_s']:,}/s as client, {r['bytes_up'] / 1000:.0f} kB held"
    return {"key": "dtls", "what": "DTLS-SRTP handshakes of one core (P-256, one end's CPU); memory of an association that is up", "value": value,
            "goal": "300/s; 60 kB", "met": min(r["server_per_s"], r["client_per_s"]) >= 300 and r["bytes_up"] <= 60000, "data": r}


ROWS = [
    Row("dtls", row_dtls),
]
