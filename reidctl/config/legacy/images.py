"""Keys of the original toolkit about data sets, images, augmentations and samplers."""

from __future__ import annotations

from typing import Any

from reidctl.config.legacy.fates import UNSTATED, Dropped, Fate, Kept, Woven, dropped, one_of, under, woven

DATA_SET = "this data set does not come with the toolkit; a plugin package can offer it"
OWN_IMAGES = "images of one's own are the data set folder or csv, or a plugin package"
MASKS = "there are no masks"
VIDEO = "images, not videos"
NO_SUCH = "there is no such augmentation"

SAMPLERS = {
    "RandomSampler": "random",
    "RandomIdentitySampler": "identity",
    "RandomIdentitySamplerV2": "identity_v2",
    "RandomIdentitySamplerV3": "identity_v3",
}


def _augmentation(
    name: str, ours: str, kept: dict[str, Any], lost: dict[str, tuple[Any, str]] | None = None
) -> dict[str, Fate]:
    into = f"data.transforms: {ours}"
    return {
        f"{name}.enable": Woven(False, into),
        **under(name, woven(into, f"data.transforms.{name}.enable is True", **kept)),
        **{f"{name}.{key}": Dropped(default, reason) for key, (default, reason) in (lost or {}).items()},
    }


def _missing(name: str, reason: str = NO_SUCH, **defaults: Any) -> dict[str, Fate]:
    return under(name, dropped(reason, enable=False, **defaults))


def _own(name: str, **defaults: Any) -> dict[str, Fate]:
    return _missing(name, f"with other parameters: list {name} in data.transforms", **defaults)


TRANSFORMS = under(
    "data.transforms",
    {
        "random_flip.enable": Woven(True, "data.transforms: random_flip"),
        "random_flip.p": Woven(0.5, "data.transforms: random_flip", "data.transforms.random_flip.enable is True"),
        **_augmentation(
            "random_crop",
            "random_crop",
            {"p": 0.5, "scale": 0.9},
            {
                "margin": (0, "a crop is given by its scale"),
                "align_ar": (False, "the original aligned always, and so does what replaces it"),
                "align_center": (False, "a crop is placed at random"),
            },
        ),
        **_missing("center_crop", margin=0, test_only=False),
        **_augmentation("random_gray_scale", "random_gray", {"p": 0.5}),
        **_missing("force_gray_scale"),
        **_missing("random_negative", p=0.5),
        **_augmentation("random_padding", "random_padding", {"p": 0.5, "padding": (0, 10)}),
        **_own("random_perspective", p=0.5, distortion_scale=0.5),
        **_augmentation(
            "color_jitter",
            "color_jitter",
            {"p": 0.5, "brightness": 0.2, "contrast": 0.15, "saturation": 0.0, "hue": 0.0},
        ),
        **_augmentation(
            "random_erase",
            "random_erase",
            {
                "p": 0.5,
                "sl": 0.2,
                "sh": 0.4,
                "rl": 0.3,
                "rh": 3.3,
                "fill_color": (125.307, 122.961, 113.8575),
                "norm_image": True,
            },
        ),
        **_augmentation("random_rotate", "random_rotate", {"p": 0.5, "angle": (-5, 5), "values": [0]}),
        **_missing("cut_out_with_prior", p=0.5, max_area=0.1),
        **_own("random_blur", p=0.5, k=5),
        **_own("random_noise", p=0.2, sigma=0.05, grayscale=False),
        **_augmentation(
            "random_figures",
            "random_figures",
            {
                "p": 0.5,
                "random_color": True,
                "always_single_figure": False,
                "figure_prob": 0.5,
                "thicknesses": (1, 6),
                "circle_radiuses": (5, 64),
                "figures": ["line", "rectangle", "circle"],
                "before_resize": True,
            },
        ),
        **_own(
            "random_patch",
            p=0.5,
            pool_capacity=50000,
            min_sample_size=100,
            patch_min_area=0.01,
            patch_max_area=0.5,
            patch_min_ratio=0.1,
            prob_rotate=0.5,
            prob_flip_leftright=0.5,
        ),
        **_augmentation(
            "random_grid",
            "random_grid",
            {
                "p": 0.33,
                "color": (-1, -1, -1),
                "grid_size": (24, 64),
                "thickness": (1, 1),
                "angle": (0, 180),
                "before_resize": True,
            },
        ),
        **_missing("random_background_substitution", p=0.2, images_root_dir="", images_list_file=""),
        **_missing(
            "mixup",
            "mixes with training images: mixup of data.batch_transforms",
            p=0.33,
            alpha=0.2,
            images_root_dir="",
            images_list_file="",
        ),
        **_missing("batch_transform", type="Pairing", alpha=1.0, anchor_bias=0.8),
        **under("test", dropped("a test image is resized to the network's size", resize_first=False, resize_scale=1.0)),
    },
)

DATA = under(
    "data",
    {
        "type": Dropped("image", VIDEO),
        "root": Kept("reid-data", "data.root", local=True),
        "sources": Woven(["market1501"], "data.sources"),
        "targets": Woven(["market1501"], "data.targets"),
        "workers": Kept(4, "data.workers", local=True),
        "split_id": Dropped(0, "the data sets that come with the toolkit have one split"),
        "height": Kept(256, "data.image.height"),
        "width": Kept(128, "data.image.width"),
        "enable_masks": Dropped(False, MASKS),
        "combineall": Kept(False, "data.combineall"),
        "norm_mean": Kept([0.485, 0.456, 0.406], "data.image.mean"),
        "norm_std": Kept([0.229, 0.224, 0.225], "data.image.std"),
        "save_dir": Woven("log", "runs, run"),
        "tb_log_dir": Dropped("", "logs lie in the run's folder"),
        "min_samples_per_id": Kept(1, "data.min_images_per_identity", rule=lambda least: max(1, least)),
        "num_sampled_packages": Dropped(1, "one augmented copy of an image is trained on at a time"),
    },
)

SETS: dict[str, Fate] = {
    "market1501.use_500k_distractors": Woven(False, "data.targets", "a target is market1501"),
    **under("cuhk03", dropped(DATA_SET, labeled_images=False, classic_split=False, use_metric_cuhk03=False)),
    **under("custom_datasets", dropped(OWN_IMAGES, roots=[], types=[], names=[])),
    **under("video", dropped(VIDEO, seq_len=15, sample_method="evenly", pooling_method="avg")),
}

SAMPLER = under(
    "sampler",
    {
        "train_sampler": Kept("RandomSampler", "data.sampler", rule=one_of(SAMPLERS)),
        "batch_num_instances": Kept(4, "data.images_per_identity"),
        "epoch_num_instances": Dropped(
            -1, "identity_v3 takes as many images of an identity as the median identity has"
        ),
        "fill_instances": Dropped(False, "an identity_v2 epoch has every image once"),
    },
)

HEAD: dict[str, Fate] = {
    **{
        f"data.transforms.{name}.*": Dropped(UNSTATED, NO_SUCH)
        for name in ("crop_pad", "posterize", "equalize", "coarse_dropout", "augmix")
    },
    "data.transforms.random_crop.static": Dropped(False, "a crop is drawn anew for every image"),
}

OLD: dict[str, Fate] = {
    "data.transforms.masks.*": Dropped(UNSTATED, MASKS),
    "data.transforms.random_erase.r1": Woven(0.3, "data.transforms: random_erase", "random_erase.enable is True"),
    "data.transforms.random_erase.mean": Dropped((0.4914, 0.4822, 0.4465), "the colour is `fill`, in levels of 0…255"),
}

ALIASES = {"sampler.num_instances": "sampler.batch_num_instances"}
"""Names that other revisions gave to keys above."""
