import numpy as np
from PIL import Image

from reidctl.retrieval.activation import activation_map, draw_activation, heat_colors


def test_energy_is_the_sum_of_squares_over_the_channels() -> None:
    """Energies 0, 1 + 4 = 5, 9 + 1 = 10 and 25 of 25 at most: 0, 51, 102, 255."""
    features = np.array([[[0, 1], [-3, 5]], [[0, -2], [1, 0]]], np.float32)
    np.testing.assert_array_equal(activation_map(features, (2, 2)), [[0, 51], [102, 255]])


def test_places_that_stand_out_by_far_do_not_hide_the_others() -> None:
    """Energies 0, 1, 2, 3 five times each and one of 10,000: quartiles 1 and 3, the fence 3 + 3 · 2 = 9."""
    energy = np.array([*(0, 1, 2, 3) * 5, 10_000], np.float32).reshape(1, 3, 7)
    expected = np.rint(np.array([*(0, 1, 2, 3) * 5, 9]) * 255 / 9).reshape(3, 7)
    np.testing.assert_allclose(activation_map(np.sqrt(energy), (3, 7)), expected, atol=1)


def test_the_map_has_the_size_of_the_image_and_keeps_its_place() -> None:
    features = np.zeros((3, 8, 4), np.float32)
    features[:, 6, 1] = 1
    found = activation_map(features, (64, 32))
    assert found.shape == (64, 32)
    assert found.dtype == np.uint8
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert (row // 8, column // 8) == (6, 1)


def test_the_same_everywhere_is_nowhere() -> None:
    np.testing.assert_array_equal(activation_map(np.full((2, 3, 3), 7, np.float32), (6, 6)), np.zeros((6, 6)))


def test_the_drawing_is_image_heat_and_overlay() -> None:
    image = Image.new("RGB", (8, 16), (200, 100, 50))
    features = np.zeros((1, 16, 8), np.float32)
    features[0, 0, 0] = 1
    found = np.asarray(draw_activation(image, features))
    assert found.shape == (16, 8 + 10 + 8 + 10 + 8, 3)
    assert tuple(found[5, 3]) == (200, 100, 50)
    assert (found[:, 8:18] == 255).all()
    np.testing.assert_array_equal(found[0, 18], heat_colors()[255])
    np.testing.assert_array_equal(found[5, 20], heat_colors()[0])
    np.testing.assert_allclose(found[5, 38], 0.3 * np.array([200, 100, 50]) + 0.7 * heat_colors()[0], atol=1)


def test_colors_go_from_blue_over_green_to_red() -> None:
    colors = heat_colors().astype(int)
    assert tuple(colors[0]) == (0, 0, 128)
    assert tuple(colors[255]) == (128, 0, 0)
    assert colors[127, 1] == 255
    assert colors[60].argmax() == 2
    assert colors[200].argmax() == 0
