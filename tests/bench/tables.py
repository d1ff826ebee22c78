"""The results of the bench: medians, tables, a plot."""

import subprocess
import sys
from collections import defaultdict

FIGURES = ("rate", "p50", "p99", "max", "checks", "rss", "startup")
REFERENCE = "bare Flask on gthread"


def say(text):
    print(f"bin/bench: {text}", file=sys.stderr, flush=True)


def medians(runs, median):
    """The median of each figure over the rounds; the ratio to bare Flask is computed within each round."""
    rounds = defaultdict(list)
    for run in runs:
        rounds[run["dependencies"], run["connections"], run["server"]].append(run)
    rows = []
    for (dependencies, connections, server), group in rounds.items():
        row = {"dependencies": dependencies, "connections": connections, "server": server}
        row |= {figure: median(run[figure] for run in group) for figure in FIGURES}
        reference = rounds["0 ms", connections, REFERENCE]
        row["ratio"] = median(run["rate"] / other["rate"] for run, other in zip(group, reference, strict=True))
        rows.append(row)
    return rows


def markdown(results):
    """All results as Markdown."""
    lines = [
        f"{results['date']}, {results['machine']}",
        "",
        "| dependencies | connections | server | requests/s | × bare Flask | p50 ms | p99 ms | checks/s | RSS MB |"
        " start s |",
        "| --- | --: | --- | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for row in results["medians"]:
        lines.append(
            "| {dependencies} | {connections} | {server} | {rate:.0f} | {ratio:.2f} | {p50:.2f} | {p99:.2f} |"
            " {checks:.2f} | {rss:.0f} | {startup:.2f} |".format(**row)
        )
    lines += [
        "",
        "| beside the crowd | probes | unanswered | p50 ms | p99 ms | max ms |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for server, row in results["crowd"].items():
        figures = " | ".join("–" if row[key] is None else f"{row[key]:.1f}" for key in ("p50", "p99", "max"))
        lines.append(f"| {server} | {row['probes']} | {row['unanswered']} | {figures} |")
    return "\n".join(lines)


def plot(rows, path):
    """p50 and p99 over connections, one line for each server, dependencies at 0 ms; needs gnuplot."""
    lines = defaultdict(list)
    for row in rows:
        if row["dependencies"] == "0 ms":
            lines[row["server"]].append((row["connections"], row["p50"], row["p99"]))
    commands = [
        "set terminal pngcairo size 900,520 font 'sans,11'",
        f"set output '{path}'",
        "set title 'Latency of /health, dependencies at 0 ms (solid p99, dashed p50)'",
        "set xlabel 'connections'",
        "set ylabel 'milliseconds'",
        "set logscale xy 2",
        "set logscale y 10",
        "set grid",
        "set key outside right",
    ]
    curves, data = [], []
    for color, (server, points) in enumerate(lines.items(), 1):
        curves.append(f"'-' using 1:3 with linespoints lc {color} lw 2 title '{server}'")
        curves.append(f"'-' using 1:2 with lines lc {color} dt 2 notitle")
        block = [*(f"{x} {p50} {p99}" for x, p50, p99 in points), "e"]
        data += block + block
    script = "\n".join([*commands, "plot " + ", ".join(curves), *data, ""])
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
