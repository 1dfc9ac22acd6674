import pytest

from configs.nb201 import get_config
from configs.nb201_bo import get_config as get_searched
from experiments import runs
from nag_jax.system.errors import InputError
from nag_jax.tasks.ranges import RANGES, check_numbers, leaves

IMPOSSIBLE = {
    "at least 1": (0, -4),
    "at least 2": (1, -2),
    "at least 0": (-1,),
    "more than 0": (0, -0.5),
    "more than 0 and at most 1": (0, -0.5, 1.01),
    "at least 0 and at most 1": (-0.01, 1.01),
    "at least 0 and less than 1": (-0.01, 1, 2),
}


def ranged_fields():
    for path, value in leaves(get_config().to_dict()):
        name = path if path in RANGES else path.rpartition(".")[2]
        if name in RANGES:
            yield from ((path, type(value)(bad)) for bad in IMPOSSIBLE[RANGES[name][0]])


@pytest.mark.parametrize("variant", ["", "smoke", "paper"])
def test_configs_are_in_range(variant, load):
    check_numbers(load(variant))


@pytest.mark.parametrize(("field", "value"), list(ranged_fields()))
def test_a_number_out_of_range_is_named(field, value, load):
    config = load()
    config.update_from_flattened_dict({field: value})
    with pytest.raises(InputError, match=rf"config\.{field} must be .*, found {value}"):
        check_numbers(config)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("field", [path for path, value in leaves(get_config().to_dict()) if isinstance(value, float)])
def test_a_number_that_is_not_finite_is_named(field, value, load):
    config = load()
    config.update_from_flattened_dict({field: value})
    with pytest.raises(InputError, match=rf"config\.{field} must be finite"):
        check_numbers(config)


@pytest.mark.parametrize("seed", [-1, 2**32, 2**63, -(2**63), 10**30])
@pytest.mark.parametrize("mode", ["generate", "stream", "search"])
@pytest.mark.parametrize("entry", [runs.run, runs.show_plan])
def test_a_seed_that_jax_would_cut_is_refused(entry, mode, seed, load, tmp_path):
    config = get_searched("smoke") if mode == "search" else load("smoke", f"mode={mode}")
    config.seed = seed
    with pytest.raises(InputError, match=rf"config\.seed must be a whole number from 0 to 4294967295, found '{seed}'"):
        entry(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_all_seeds_of_a_search_are_in_range(tmp_path):
    config = get_searched("smoke")
    config.seed, config.seeds = 2**32 - 2, 3
    with pytest.raises(InputError, match="the last seed, must be a whole number from 0 to 4294967295"):
        runs.show_plan(config, tmp_path / "run")


@pytest.mark.parametrize("sweep", [(), ("a",), (0.0, float("nan"))])
def test_scales_are_finite_numbers(sweep, load):
    config = load()
    config.guidance.sweep = sweep
    with pytest.raises(InputError, match=r"config\.guidance\.sweep must hold one finite number or more"):
        check_numbers(config)


@pytest.mark.parametrize("field", ["sde.ve.sigma_min", "sde.vp.beta_min", "sde.sub_vp.beta_min"])
def test_noise_grows(field, load):
    config = load()
    config.update_from_flattened_dict({field: 100.0})
    with pytest.raises(InputError, match=rf"{field}, 100.0, must be less than"):
        check_numbers(config)


def test_no_more_final_labels_than_samples(load):
    config = load("smoke")
    config.labels.final = 65
    with pytest.raises(InputError, match=r"final, 65, is more than config\.num_samples, 64"):
        check_numbers(config)
