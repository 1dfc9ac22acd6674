"""The tables of `experiments.bench.speed`."""

from typing import Any

from experiments.bench import evaluations, machine, scale

_HEADER = ["| what | measured | target |", "|---|---|---|"]


def page(known: dict[str, Any]) -> list[str]:
    """Markdown lines of all parts that were measured; see `machine.keep_parts`."""
    tables = {
        "jobs": ("The main job", _jobs),
        "sampler": ("Sampling", _sampler),
        "host": ("Host work", _host),
        "first_sample": ("From a process's start", _first_sample),
        "devices": ("Many devices", _devices),
        "stream": ("Streams", _stream),
        "memory": ("Memory of streams", _memory),
        "evaluations": ("Quality against evaluations of the network", _evaluations),
    }
    return machine.sections(known, tables)


def _jobs(found: dict[str, Any]) -> list[str]:
    targets = {"cold main job": "at most 240", "repeated main job": "at most 60"}
    rows = [f"| {name}, s | {found[name]['seconds']:.1f} | {target} |" for name, target in targets.items()]
    return [*_HEADER, *rows]


def _sampler(found: dict[str, Any]) -> list[str]:
    n, milliseconds = found["samples"], found["parts_of_score_network_ms"]
    return [
        *_HEADER,
        f"| {n:,} guided samples, compiled, s | {found['seconds']['guided']:.3f} | at most 0.4 |",
        f"| {n:,} unconditional samples, compiled, s | {found['seconds']['unconditional']:.3f} | at most 0.1 |",
        *(f"| of the guided: {name}, s | {value:.3f} | |" for name, value in found["parts_of_guided_seconds"].items()),
        f"| collectives in the guided sampler | {found['collectives']} | 0 |",
        f"| share of the rate of matrix products in the score network, % | {100 * found['share_of_that_rate']:.0f} "
        "| at least 50 |",
        "",
        f"The score network computes the products of its dense layers at "
        f"{found['gigaflops_achieved_in_score_network']} GFLOP/s; they reach "
        f"{found['gigaflops_of_its_matrix_products_alone']} when nothing else is done, each at its sizes. Where an "
        f"evaluation of {n:,} samples goes:",
        "",
        "| phase | ms | share, % |",
        "|---|---|---|",
        *(
            f"| {name} | {value:.2f} | {100 * value / sum(milliseconds.values()):.0f} |"
            for name, value in milliseconds.items()
        ),
    ]


def _host(found: dict[str, Any]) -> list[str]:
    return [
        *_HEADER,
        f"| {found['architectures']:,} decoded, canonicalised, de-duplicated, s | {found['seconds']:.2f} "
        "| at most 10 |",
    ]


def _first_sample(found: dict[str, Any]) -> list[str]:
    return [*_HEADER, f"| to the first {found['samples']:,} samples, s | {found['seconds']} | at most 6 |"]


def _devices(found: dict[str, Any]) -> list[str]:
    return [
        *_HEADER,
        f"| CPU time of {found['samples']:,} samples, {scale.DEVICES} virtual devices over 1 | {found['ratio']} "
        "| at most 1.1 |",
    ]


def _stream(found: dict[str, Any]) -> list[str]:
    return [
        *_HEADER,
        f"| stream over in-memory rate, {found['samples']:,} samples | {found['ratio']} | at least 0.9 |",
        f"| streamed a second | {found['streamed a second']:,} | |",
    ]


def _memory(found: dict[str, int]) -> list[str]:
    rows = [f"| peak memory of a stream of {n}, MiB | {mebibytes:,} | flat |" for n, mebibytes in found.items()]
    return [*_HEADER, *rows]


def _evaluations(found: list[dict[str, Any]]) -> list[str]:
    return ["One seed.", "", *evaluations.table(found)]
