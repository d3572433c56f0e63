"""Redundancy between two browsers (Chromium, JsSIP) through the switch: RED with ULPFEC for video, RED for Opus; with and without losses."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCENE = Path(__file__).parent / "fec_scene.py"


def scene(loss, where, modules):
    if not shutil.which("chromium"):
        pytest.skip("chromium is not installed")
    alone = ["unshare", "-n"] if loss else []
    out = subprocess.run([*alone, sys.executable, SCENE, str(loss), where, modules], capture_output=True, text=True, timeout=200)
    assert out.returncode == 0, (out.stdout + out.stderr)[-4000:]
    r = json.loads(out.stdout.strip().split("\n")[-1])
    for one in r["seen"] + r["after"]:
        assert one["codec"] == "video/VP8" and one["width"] and set(one["dtls"]) == {"connected"}, r
    return r


def count(leg, name):
    return int(leg[f"{name}_packet_count"])


def test_all_arrives(tmp_path, modules):
    """It is agreed to on both legs, and costs nothing while all arrives."""
    r = scene(0, tmp_path, modules)
    for leg in r["legs"]:
        assert count(leg, "video_in_fec") == count(leg, "video_out_fec") == count(leg, "video_in_recovered") == 0, leg
        assert count(leg, "video_in_media") > 40 and count(leg, "video_in_skip") == 0


def test_a_twentieth_is_lost(tmp_path, modules):
    """On the way to the switch: video is made good by the browsers' parity, for which NACK is left out, and the caller's sound by his RED."""
    if os.geteuid() or not shutil.which("nft") or subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        pytest.skip("network namespaces and nft need root")
    r = scene(5, tmp_path, modules)
    for leg in r["legs"]:
        assert count(leg, "video_in_fec") > 5 and count(leg, "video_in_skip") == 0, leg
    assert sum(count(leg, "video_in_recovered") for leg in r["legs"]) > 0, r["legs"]
    caller, = [leg for leg in r["legs"] if "audio_in_recovered_packet_count" in leg]
    assert int(caller["audio_in_flaw_total"]) > 10
    assert count(caller, "audio_in_recovered") > 0.6 * int(caller["audio_in_flaw_total"]), caller
