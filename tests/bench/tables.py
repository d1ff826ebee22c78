"""The results of the bench: medians and tables."""

import sys
from collections import defaultdict
from operator import truediv

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


def beside(runs, median, other):
    """(server, connections) -> its requests per second as a multiple of those of the same server called `other` + it,
    computed within each round, dependencies at 0 ms."""
    rates = defaultdict(list)
    for run in runs:
        if run["dependencies"] == "0 ms":
            rates[run["server"], run["connections"]].append(run["rate"])
    return {
        (server, connections): median(map(truediv, ours, rates[other + server, connections]))
        for (server, connections), ours in rates.items()
        if (other + server, connections) in rates
    }


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
    lines += ["", "| speed cache | µs of a probe with it | without it |", "| --- | --: | --: |"]
    lines += [f"| {name} | {kept:.1f} | {anew:.1f} |" for name, (kept, anew) in results["caches"].items()]
    if results["beside"]:
        lines += ["", "| beside the other checkout | connections | × its requests/s |", "| --- | --: | --: |"]
        lines += [
            f"| {server} | {connections} | {ratio:.2f} |" for (server, connections), ratio in results["beside"].items()
        ]
    return "\n".join(lines)
