"""The table of what test_audio.py measured, as a page."""
import statistics

import audio_lab as lab

HEAD = """# Sound, measured: the table

Made by `TANDEM_AUDIO_TABLE=$PWD/docs/audio-table.md ./dev soak tests/e2e/test_audio.py -k every_pair`; what the numbers are stands in [audio.md](audio.md).
A row says, a column hears.
"""


def grid(names, of):
    width = max(map(len, names))
    lines = ["```", " " * (width + 1) + " ".join(f"{n[:6]:>6}" for n in names)]
    for a in names:
        lines.append(f"{a:<{width}} " + " ".join(f"{of[a, b]:>6}" if (a, b) in of else "     -" for b in names))
    return lines + ["```", ""]


def spread(values):
    values = sorted(values)
    return f"{statistics.median(values):.0f} | {values[int(0.95 * (len(values) - 1))]:.0f}"


def write(path, names, table, bad):
    clean = {(h.first, h.second): h.score for h in table["clean"]}
    out = [HEAD, "## By network", "",
           "Score: the median and the least of all directions; what is left of it (above 1) against the clean network; holes in the tone and delays in ms, the",
           "median and the value that one in twenty is over. Codecs that keep no waves (LPC, CODEC2) are in the scores, not in holes and delays.", "",
           "| network | score | least | left | holes | | delay | | RTP faults |", "|---|---|---|---|---|---|---|---|---|"]
    for name, rows in table.items():
        waves = [h for h in rows if not {h.first, h.second} & set(lab.PHASELESS)]
        left = statistics.median((h.score - 1) / (clean[h.first, h.second] - 1) for h in rows)
        least = min(rows, key=lambda h: h.score)
        out.append(f"| {name} | {statistics.median(h.score for h in rows):.2f} | {least.score:.2f} ({least.first} to {least.second}) | {100 * left:.0f} % | "
                   f"{spread(h.gap for h in waves)} | {spread(h.delay for h in waves)} | {sum(bool(h.faults) for h in rows)} |")
    out += ["", "## By codec", "", "The median score of all directions in which it takes part.", "",
            "| codec | " + " | ".join(table) + " |", "|---|" + "---|" * len(table)]
    for n in names:
        out.append(f"| {n} | " + " | ".join(f"{statistics.median(h.score for h in rows if n in (h.first, h.second)):.2f}" for rows in table.values()) + " |")
    out += ["", "## The two codecs alone", "", "Score of the same pairs coded one after the other by the phones' own coders, without a switch.", ""]
    out += grid(names, {k: f"{lab.alone(*k):.2f}" for k in clean})
    for name, rows in table.items():
        out += [f"## {name}: score", "", *grid(names, {(h.first, h.second): f"{h.score:.2f}" for h in rows})]
    for title, of in (("level, dB", "level"), ("tone over the rest, dB", "snr"), ("delay, ms", "delay")):
        out += [f"## clean: {title}", "", *grid(names, {(h.first, h.second): f"{getattr(h, of):.{0 if of == 'delay' else 1}f}" for h in table["clean"]})]
    if bad:
        out += ["## Not good enough", "", *(f"- {b}" for b in bad), ""]
    with open(path, "w") as f:
        f.write("\n".join(out).rstrip("\n") + "\n")
