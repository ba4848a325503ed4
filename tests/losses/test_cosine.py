from pathlib import Path

import numpy as np
import torch

from reidctl.losses.cosine import CosineClassifier

ARRAYS = np.load(Path(__file__).parents[1] / "parity" / "losses.npz")


def test_cosines_and_gradients_are_those_of_the_original() -> None:
    classifier = CosineClassifier(32, 12).double()
    with torch.no_grad():
        classifier.weight.copy_(torch.tensor(ARRAYS["weight"]))
    features = torch.tensor(ARRAYS["features"], requires_grad=True)
    cosines = classifier(features)
    np.testing.assert_allclose(cosines.detach(), ARRAYS["angle_linear_out"], rtol=1e-9, atol=1e-12)
    cosines.square().sum().backward()
    np.testing.assert_allclose(features.grad, ARRAYS["grad.angle_linear_feat"], rtol=1e-9, atol=1e-12)


def test_classes_start_as_unit_directions() -> None:
    classifier = CosineClassifier(256, 40)
    assert classifier.weight.shape == (256, 40)
    torch.testing.assert_close(classifier.weight.norm(dim=0), torch.ones(40))


def test_lengths_do_not_matter_and_zero_has_no_direction() -> None:
    classifier = CosineClassifier(3, 2)
    with torch.no_grad():
        classifier.weight.copy_(torch.tensor([[5.0, 0.0], [0.0, 0.1], [0.0, 0.0]]))
    cosines = classifier(torch.tensor([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0]]))
    torch.testing.assert_close(cosines, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))


def test_cosines_stay_within_one() -> None:
    classifier = CosineClassifier(7, 200)
    cosines = classifier(classifier.weight.T * 1e3)
    assert cosines.abs().max() <= 1
    torch.testing.assert_close(cosines.diagonal(), torch.ones(200))
