"""What the program tells about itself: show loops|rings|memory|locks, event stats."""
import json


def rows(tandem, command):
    answer = json.loads(tandem.api(command + " as json"))
    assert answer["row_count"] == len(answer["rows"]) > 0
    return answer["rows"]


def test_show_tables(tandem):
    listener = tandem.esl()
    listener.subscribe("HEARTBEAT CUSTOM test::x")
    rows(tandem, "show loops")  # a command that is over
    loops = {r["handler"]: r for r in rows(tandem, "show loops")}
    assert int(loops["api"]["runs"]) > 0 and int(loops["tcp"]["total_us"]) > 0
    assert all(int(r["longest_us"]) <= int(r["total_us"]) + 1 for r in loops.values())
    rings = {r["ring"]: r for r in rows(tandem, "show rings")}
    assert int(rings["log"]["slots"]) == 4096
    assert int(rings["media 0 commands"]["slots"]) > 0 and rings["media reports"]["refused"] == "0"
    memory = {r["room"]: r for r in rows(tandem, "show memory")}
    assert {"base", "core/registry", "text", "loop", "net"} <= set(memory)
    assert all(any(room.startswith(house) for room in memory) for house in ("endpoint/sip/", "esl/"))
    assert int(memory["text"]["bytes"]) > 10000
    locks = {r["lock"]: r for r in rows(tandem, "show locks")}
    assert int(locks["log sinks"]["taken"]) > 0
    assert tandem.api("show loops").startswith("handler,runs,total_us,longest_us,slow,timers,late_us,latest_us\n")


def test_event_stats(tandem):
    listener = tandem.esl()
    listener.subscribe("API")
    def count(column):
        found = [r for r in rows(tandem, "event stats names") if r["event"] == "API"]
        return int(found[0][column]) if found else 0
    before = count("fired")
    assert count("fired") >= before + 1
    assert count("delivered") >= 1
    assert "event,built,fired,delivered,dropped\n" in tandem.api("event stats")
    assert tandem.api("event").startswith("-USAGE: stats")
    assert [r["fired"] for r in rows(tandem, "event stats names") if r["event"] == "STARTUP"] == ["1"]
