import shutil

import jax
import numpy as np
import pytest
from PIL import Image

from nag_jax import datasets
from nag_jax.datasets import images
from nag_jax.datasets.tfds import Labelled
from nag_jax.networks import resnet, set_encoder
from nag_jax.system.errors import InputError


def test_a_folder_of_class_folders(digits_folder, digits, caplog):
    found = datasets.make("images", folder=digits_folder, image_size=8)
    assert found.name == digits_folder.name
    assert found.classes == tuple(sorted(digits))
    assert found.features.shape == (10, 20, 8, 8, 3)
    assert found.features.dtype == np.float32
    assert (found.features.min(), found.features.max()) == (-1.0, pytest.approx(1.0, abs=0.01))
    short = found.classes.index("nine")
    assert found.mask.sum(axis=1).tolist() == [7 if i == short else 20 for i in range(10)]
    assert found.facts["short_classes"] == {"nine": 7}
    assert found.facts["images"] == 187
    assert "1 of 10 classes have fewer than 20 images, all of which are used (nine 7)" in caplog.text
    for name, features, mask in zip(found.classes, found.features, found.mask, strict=True):
        pixels = np.rint((features[mask] + 1.0) * 127.5)[..., 0]
        assert len(np.unique(pixels, axis=0)) == mask.sum()
        assert (pixels[:, None] == digits[name][:25][None]).all(axis=(2, 3)).any(axis=1).all()


def test_the_seed_chooses_and_other_classes_do_not_count(digits_folder):
    options = {"folder": digits_folder, "image_size": 8, "images_per_class": 3}
    found = datasets.make("images", **options)
    np.testing.assert_array_equal(found.features, datasets.make("images", **options).features)
    other = datasets.make("images", seed=1, **options).features
    assert (np.abs(other - found.features).max(axis=(1, 2, 3, 4)) > 0.1).sum() > 5
    few = datasets.make("images", classes=["two", "one"], **options)
    assert few.classes == ("two", "one")
    for name, features in zip(few.classes, few.features, strict=True):
        np.testing.assert_array_equal(features, found.features[found.classes.index(name)])


def test_images_of_any_mode_and_size_are_scaled(tmp_path):
    (tmp_path / "a").mkdir()
    for i, mode in enumerate(("RGB", "L", "RGBA", "P", "1", "CMYK")):
        Image.new(mode, (20 + i, 10)).save(tmp_path / "a" / f"{i}.{'jpg' if mode == 'CMYK' else 'PNG'}")
    assert datasets.make("images", folder=tmp_path, image_size=6).features[0].shape == (6, 6, 6, 3)


@pytest.fixture
def ramp():
    """A ramp uint8 `[16, 16]` from black to white."""
    return np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.fixture
def pixels_of(tmp_path):
    """Writes one image and reads its pixels, uint8."""
    (tmp_path / "a").mkdir()

    def read(image, size=16, **options):
        image.save(tmp_path / "a" / "a.png", **options)
        features = datasets.make("images", folder=tmp_path, image_size=size, images_per_class=1).features
        return np.rint((features[0, 0] + 1.0) * 127.5).astype(np.uint8)

    return read


def test_16_bits_are_scaled_and_not_clipped(ramp, pixels_of):
    for form in ("PNG", "TIFF"):
        found = pixels_of(Image.fromarray(ramp.astype(np.uint16) * 257), format=form)
        np.testing.assert_array_equal(found, np.stack([ramp] * 3, axis=-1))


def test_the_shared_16_bit_ramp_reads_as_the_8_bit_one(shared):
    found = datasets.make("images", folder=shared / "faults" / "gray16", images_per_class=1)
    assert found.classes == ("gray", "gray16")
    np.testing.assert_array_equal(*found.features)
    assert found.features.mean() == pytest.approx(-0.01, abs=0.01)


@pytest.mark.parametrize(("kind", "mode"), [(np.int32, "I"), (np.float32, "F")])
def test_numbers_of_an_unknown_range_are_refused(ramp, pixels_of, kind, mode):
    with pytest.raises(InputError, match=rf"a\.png can't be read as an image \(.*mode {mode}, expected 8 or 16 bits"):
        pixels_of(Image.fromarray(ramp.astype(kind)), format="TIFF")


def test_arrays_of_16_bits_are_scaled_and_those_of_an_unknown_range_are_refused(ramp):
    options = {"classes": None, "images_per_class": 1, "seed": 0, "image_size": 16}

    def collect(pixels):
        source = [{"label": 0, "image": pixels}]
        return images.collect(Labelled(source, ("a",)), **options)[1][0][0]

    for pixels in (ramp[..., None], np.stack([ramp] * 3, axis=-1)):
        np.testing.assert_array_equal(collect(pixels.astype(np.uint16) * 257), collect(pixels))
    with pytest.raises(InputError, match="its pixels are float32, expected uint8 or uint16"):
        collect(ramp[..., None].astype(np.float32))


def test_images_stand_as_their_camera_says(ramp, pixels_of):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it clockwise to show it
    found = pixels_of(Image.fromarray(ramp), exif=exif)[..., 0]
    np.testing.assert_array_equal(found, np.rot90(ramp, -1))


def test_what_an_archive_leaves_behind_is_no_class(digits_folder, tmp_path):
    shutil.copytree(digits_folder / "one", tmp_path / "one")
    shutil.copytree(digits_folder / "one", tmp_path / "__MACOSX")
    (tmp_path / "__MACOSX" / "._one").mkdir()
    assert datasets.make("images", folder=tmp_path, image_size=8).classes == ("one",)


def test_an_encoder_learns_from_the_pixels_whatever_their_order(digits_folder):
    found = datasets.make("images", folder=digits_folder, image_size=8)
    encoder = set_encoder.make("set_transformer", found.item_shape, width=8, num_blocks=1)
    params = encoder.init(jax.random.key(0))
    apply = jax.jit(encoder.apply)
    embedding = apply(params, found.features, found.mask)
    rng = np.random.default_rng(0)
    classes, items = rng.permutation(10), rng.permutation(20)
    moved = apply(params, found.features[classes][:, items], found.mask[classes][:, items])
    np.testing.assert_allclose(moved, embedding, rtol=1e-4, atol=1e-5)
    gradient = jax.jit(jax.grad(lambda params: (encoder.apply(params, found.features, found.mask) ** 2).sum()))(params)
    assert np.abs(gradient["params"]["images"]["conv_0"]["kernel"]).max() > 0


def test_features_of_a_frozen_network(digits_folder, resnet_weights):
    path = resnet_weights
    found = datasets.make("images", folder=digits_folder, weights=path, images_per_class=3, image_size=8)
    assert found.features.shape == (10, 3, 512)
    assert found.facts["image_features"] == str(path)
    pixels = datasets.make("images", folder=digits_folder, images_per_class=3, image_size=8).features
    images = np.rint((pixels[4] + 1.0) * 127.5).astype(np.uint8)
    expected = resnet.image_features(resnet.read_variables(path), images)
    np.testing.assert_allclose(found.features[4], expected, rtol=1e-4, atol=1e-4)


def test_the_cifar10_sample(shared):
    found = datasets.make("images", folder=shared / "data" / "cifar10_sample")
    assert found.features.shape == (10, 20, 32, 32, 3)
    assert found.mask.all()
    assert found.classes[:2] == ("airplane", "automobile")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "name one of the two, folder or tfds"),
        ({"folder": "x", "tfds": "cifar10"}, "name one of the two"),
        ({"folder": "no/such/folder"}, "there is no folder of images no/such/folder"),
        ({"folder": "x", "images_per_class": 0}, "must be at least 1, found 0 and 32"),
        ({"folder": "x", "weights": "no.npz"}, r"there is no file of weights no\.npz"),
        ({"folder": "x", "image": 3}, r"'images' has no option \['image'\]"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        datasets.make("images", **options)


def test_a_folder_without_class_folders(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / ".hidden").mkdir()
    with pytest.raises(InputError, match=f"{tmp_path} has no class folders: put the images of each class into"):
        datasets.make("images", folder=tmp_path)


def test_a_class_without_images(digits_folder, tmp_path):
    shutil.copytree(digits_folder / "one", tmp_path / "one")
    (tmp_path / "two").mkdir()
    with pytest.raises(InputError, match=r"two has no \.jpg, \.jpeg, \.png file"):
        datasets.make("images", folder=tmp_path)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n then nothing"])
def test_an_unreadable_image_is_named(digits_folder, tmp_path, content):
    shutil.copytree(digits_folder / "one", tmp_path / "one")
    (tmp_path / "one" / "003.png").write_bytes(content)
    with pytest.raises(InputError, match=r"003\.png can't be read as an image .*: replace or remove it") as error:
        datasets.make("images", folder=tmp_path, images_per_class=100)
    assert "\n" not in str(error.value)


def test_a_cut_image_is_named(digits_folder, tmp_path):
    shutil.copytree(digits_folder / "one", tmp_path / "one")
    whole = (tmp_path / "one" / "003.png").read_bytes()
    (tmp_path / "one" / "003.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"003\.png can't be read"):
        datasets.make("images", folder=tmp_path, images_per_class=100)


def test_an_unknown_class(digits_folder):
    with pytest.raises(InputError, match="has no class 'ten': it has eight, five"):
        datasets.make("images", folder=digits_folder, classes=["one", "ten"])


def test_a_small_file_does_not_become_gigabytes(tmp_path):
    """8,000 by 8,000 black pixels are 62 kB as a file of 1 bit per pixel."""
    (tmp_path / "cats").mkdir()
    Image.new("1", (8000, 8000)).save(tmp_path / "cats" / "a.png")
    with pytest.raises(InputError, match=r"a\.png can't be read as an image .*would become more than"):
        datasets.make("images", folder=tmp_path)
