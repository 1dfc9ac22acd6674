import numpy as np
import pytest

from nag_jax.networks import resnet
from nag_jax.system.errors import InputError


def shapes():
    """torchvision's names and shapes of a ResNet-18 without its classifier."""
    out: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 7, 7)}
    norms = {"bn1": 64}
    before = 64
    for stage, width in enumerate((64, 128, 256, 512), start=1):
        for block in range(2):
            name = f"layer{stage}.{block}"
            out[f"{name}.conv1.weight"] = (width, before, 3, 3)
            out[f"{name}.conv2.weight"] = (width, width, 3, 3)
            norms |= {f"{name}.bn1": width, f"{name}.bn2": width}
            if before != width:
                out[f"{name}.downsample.0.weight"] = (width, before, 1, 1)
                norms[f"{name}.downsample.1"] = width
            before = width
    for name, width in norms.items():
        for leaf in ("weight", "bias", "running_mean", "running_var"):
            out[f"{name}.{leaf}"] = (width,)
    return out


def random_weights(seed=0):
    """Random weights that keep activations of unit size, with running statistics that matter."""
    rng = np.random.default_rng(seed)
    weights = {}
    for name, shape in shapes().items():
        noise = rng.standard_normal(shape).astype(np.float32)
        if len(shape) == 4:
            weights[name] = noise * np.float32(np.sqrt(2.0 / np.prod(shape[1:])))
        else:
            centre = 1.0 if name.endswith(("bn1.weight", "bn2.weight", "1.weight", "running_var")) else 0.0
            weights[name] = np.float32(centre) + np.float32(0.1) * noise
    return weights


def save(folder, weights):
    path = folder / "resnet18.npz"
    np.savez(path, **weights)
    return path


def convolve(h, kernel, stride):
    """Of NCHW by torch's kernel, padded by half its size on every side."""
    size = kernel.shape[-1]
    pad = size // 2
    h = np.pad(h, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(h, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum("bchwij,ocij->bohw", windows, kernel, optimize=True)


def normalise(h, weights, name):
    scale = weights[f"{name}.weight"] / np.sqrt(weights[f"{name}.running_var"] + 1e-5)
    shift = weights[f"{name}.bias"] - weights[f"{name}.running_mean"] * scale
    return h * scale[:, None, None] + shift[:, None, None]


def reference(weights, images):
    """The network in NumPy: features of normalised images NCHW."""
    h = np.maximum(normalise(convolve(images, weights["conv1.weight"], 2), weights, "bn1"), 0)
    h = np.pad(h, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    h = np.lib.stride_tricks.sliding_window_view(h, (3, 3), axis=(2, 3))[:, :, ::2, ::2].max(axis=(4, 5))
    for stage in range(1, 5):
        for block in range(2):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            shortcut = h
            if stride == 2:
                shortcut = convolve(h, weights[f"{name}.downsample.0.weight"], 2)
                shortcut = normalise(shortcut, weights, f"{name}.downsample.1")
            h = np.maximum(normalise(convolve(h, weights[f"{name}.conv1.weight"], stride), weights, f"{name}.bn1"), 0)
            h = normalise(convolve(h, weights[f"{name}.conv2.weight"], 1), weights, f"{name}.bn2")
            h = np.maximum(h + shortcut, 0)
    return h.mean(axis=(2, 3))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).integers(0, 256, (3, 40, 32, 3)).astype(np.uint8)


def normal(images):
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    return ((images / 255.0 - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)


def test_it_is_a_resnet18_in_numpy(tmp_path, images):
    weights = random_weights()
    found = resnet.image_features(resnet.read_variables(save(tmp_path, weights)), images, batch_size=2)
    expected = reference(weights, normal(images))
    assert found.shape == (3, 512)
    assert np.ptp(expected) > 1.0
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_it_is_a_resnet18_in_pytorch(tmp_path, images):
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, before, width, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.downsample = None
            if stride > 1:
                self.downsample = nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))

        def forward(self, x):
            shortcut = x if self.downsample is None else self.downsample(x)
            inner = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
            return torch.relu(inner + shortcut)

    class ResNet18(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
            self.bn1 = nn.BatchNorm2d(64)
            self.maxpool = nn.MaxPool2d(3, 2, 1)
            self.layer1 = nn.Sequential(Block(64, 64, 1), Block(64, 64, 1))
            self.layer2 = nn.Sequential(Block(64, 128, 2), Block(128, 128, 1))
            self.layer3 = nn.Sequential(Block(128, 256, 2), Block(256, 256, 1))
            self.layer4 = nn.Sequential(Block(256, 512, 2), Block(512, 512, 1))
            self.fc = nn.Linear(512, 1000)

        def forward(self, x):
            h = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
            return self.layer4(self.layer3(self.layer2(self.layer1(h)))).mean(dim=(2, 3))

    model = ResNet18().eval()
    state = model.state_dict()
    weights = random_weights()
    assert {name for name in state if not name.endswith("num_batches_tracked")} - set(weights) == {
        "fc.weight",
        "fc.bias",
    }
    model.load_state_dict(state | {name: torch.from_numpy(value) for name, value in weights.items()})
    with torch.no_grad():
        expected = model(torch.from_numpy(normal(images))).numpy()
    path = tmp_path / "resnet18.safetensors"
    pytest.importorskip("safetensors.torch").save_file(model.state_dict(), path)
    found = resnet.image_features(resnet.read_variables(path), images)
    assert np.ptp(expected) > 1.0
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_the_classifier_and_counts_are_not_needed(tmp_path):
    extra = {"fc.weight": np.zeros((1000, 512)), "fc.bias": np.zeros(1000), "bn1.num_batches_tracked": np.array(3)}
    resnet.read_variables(save(tmp_path, random_weights() | extra))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layer1.0.conv1.weight": np.zeros((64, 64, 1, 1))}, r"layer1\.0\.conv1\.weight must have the shape \[64, "),
        ({"bn1.bias": np.full(64, np.nan)}, r"weight bn1\.bias must hold finite floats"),
        ({"bn1.bias": np.zeros(64, int)}, r"weight bn1\.bias must hold finite floats"),
        ({"layer1.2.conv1.weight": np.zeros(3)}, r"isn't weights of a ResNet-18: found it with unknown layer1\.2\."),
        ({"conv1.weight": None}, r"found it without conv1\.weight; use the right file"),
    ],
)
def test_other_weights_are_refused(tmp_path, changes, message):
    weights = {name: value for name, value in (random_weights() | changes).items() if value is not None}
    with pytest.raises(InputError, match=message):
        resnet.read_variables(save(tmp_path, weights))


def test_many_missing_weights_are_counted(tmp_path):
    with pytest.raises(InputError, match=r"without bn1\.weight, bn1\..* and 96 more"):
        resnet.read_variables(save(tmp_path, {"conv1.weight": np.zeros((64, 3, 7, 7), np.float32)}))
