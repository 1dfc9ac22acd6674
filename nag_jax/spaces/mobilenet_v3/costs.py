"""Parameters and multiply-accumulates of the networks, as sums over their layers."""

import numpy as np

from nag_jax.spaces.costs import Cost
from nag_jax.spaces.mobilenet_v3.layers import fixed_macs, fixed_params, layer_at, sizes
from nag_jax.spaces.mobilenet_v3.layout import MOST_LAYERS, SETTINGS, SKIP, STAGES


def network_costs(resolution: int) -> dict[str, Cost]:
    """Parameters, and multiply-accumulates on images of that side, exactly: `"params"` and `"macs"`.

    Parameters include the scales and offsets of batch norms. A multiply-accumulate is one of a convolution or of
    the classifier; biases, norms, activations and means are not counted.
    """
    image = sizes(resolution)
    shape = (STAGES * MOST_LAYERS, SKIP + 1)
    params, macs = np.zeros(shape), np.zeros(shape)
    for node in range(STAGES * MOST_LAYERS):
        stage, position = divmod(node, MOST_LAYERS)
        for token, setting in enumerate(SETTINGS):
            layer = layer_at(stage, position, *setting)
            params[node, token] = layer.params
            macs[node, token] = layer.macs(image[stage] if position == 0 else image[stage + 1])
    return {"params": Cost(fixed_params(), params), "macs": Cost(fixed_macs(image), macs)}
