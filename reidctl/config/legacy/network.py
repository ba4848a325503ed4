"""Keys of the original toolkit about the network and its losses."""

from __future__ import annotations

from reidctl.config.legacy.fates import UNSTATED, Dropped, Fate, Woven, dropped, under, woven

FPN = "model.name is an fpn_osnet"
CLASSIFIERS = "classification and contrastive learning are no re-identification"
OTHER_HEADS = "multi-head and attribute models are not part of this toolkit"
AM_SOFTMAX = "loss.name is am_softmax"
METRIC_LOSSES = "metric_losses.enable is True beside am_softmax or softmax"
OWN_RATE = "all losses learn at the rate of the network"

MODEL = under(
    "model",
    {
        "name": Woven("resnet50", "model.name"),
        **dropped("nothing is downloaded; give a file as `weights`", pretrained=False, download_weights=True),
        "load_weights": Woven("", "weights"),
        "resume": Dropped("", "a command: reidctl train --resume RUN"),
        **under(
            "dropout", woven("model.dropout", FPN, p=0.0, mu=0.1, sigma=0.03, kernel=3, temperature=0.2, dist="none")
        ),
        "feature_dim": Woven(512, "model.embedding_dim", "model.name is an osnet or fpn_osnet"),
        **dropped("batch norm learns and counts wherever its layer does", bn_eval=False, bn_frozen=False),
        "enable_attentions": Dropped(False, OTHER_HEADS),
        "pooling_type": Woven("avg", "model.pooling", FPN),
        "IN_first": Woven(False, "model.input_norm", FPN),
        "IN_conv1": Dropped(False, "the fpn_osnet models never read it; use IN_first"),
        "extra_blocks": Woven(False, "model.extra_blocks", FPN),
        "lct_gate": Woven(False, "model.lct_gate", FPN),
        **under(
            "fpn",
            woven("model.fpn", f"{FPN} and model.fpn.enable is True", enable=True, dim=256, process="concatenation"),
        ),
        **dropped(CLASSIFIERS, classification=False, contrastive=False),
    },
)

LOSS = under(
    "loss",
    {
        "name": Woven("softmax", "losses"),
        **under(
            "softmax",
            {
                **woven("losses", "loss.name is am_softmax or softmax", label_smooth=False, conf_penalty=0.0),
                **woven("losses", AM_SOFTMAX, pr_product=False, m=0.35, s=30.0),
                **woven("losses", AM_SOFTMAX, end_s=-1.0, duration_s=-1, skip_steps_s=-1),
                "base_num_classes": Dropped(-1, "the scale does not depend on the number of identities"),
                **woven("losses", AM_SOFTMAX, adaptive_margins=False, class_weighting=False, symmetric_ce=False),
            },
        ),
        **under("triplet", woven("losses", "loss.name is triplet", margin=0.3, weight_t=1.0, weight_x=0.0)),
    },
)

OTHER_TERMS: dict[str, Fate] = {
    **under(
        "mixing_loss",
        dropped("a batch holds one copy of an image, so the loss `mixing` is 0", enable=False, weight=1.0),
    ),
    "metric_losses.enable": Woven(False, "losses"),
    **under(
        "metric_losses",
        {
            **woven("losses", METRIC_LOSSES, center_coeff=0.0, triplet_coeff=0.0, local_push_coeff=1.0),
            **woven("losses", METRIC_LOSSES, center_margin=0.1, triplet_margin=0.35, local_push_margin=0.1),
            **woven("losses", METRIC_LOSSES, smart_margin=True, triplet="semihard", loss_balancing=True),
            **dropped(OWN_RATE, centers_lr=0.5, balancing_lr=0.01),
        },
    ),
    **under(
        "attr_loss",
        dropped(
            OTHER_HEADS,
            names=["color", "type"],
            num_classes=[-1, -1],
            label_smooth=False,
            conf_penalty=0.0,
            pr_product=False,
            m=0.35,
            s=30.0,
            end_s=-1.0,
            duration_s=-1,
            skip_steps_s=-1,
        ),
    ),
    **under(
        "reg",
        {
            **woven("losses", ow=False, nw=False, hd=False),
            **woven("losses", "reg.ow is True", ow_beta=1e-3),
            **woven("losses", "reg.nw is True", nw_max_ratio=10.0, nw_scale=10.0),
            **woven("losses", "reg.hd is True", hd_max_score=0.5, hd_scale=10.0),
            **dropped("the original has no such regulariser either", of=False, of_beta=1e-6, of_start_epoch=23),
        },
    ),
}

HEAD: dict[str, Fate] = {
    "model.save_chkpt": Dropped(UNSTATED, "a run always keeps its best and its last weights"),
    "model.dropout_backbone.*": Dropped(UNSTATED, "this kind of dropout has no such parameter"),
    "model.dropout_cls.*": Dropped(UNSTATED, "the dropout before the embedding is p of model.dropout"),
    "model.self_challenging_cfg.*": Dropped(UNSTATED, "there is no self-challenging training"),
    "mutual_learning.*": Dropped(UNSTATED, "its files are of networks: name these in train.mutual"),
    "loss.softmax.margin_type": Woven("cos", "losses", "loss.name is am_softmax"),
    "loss.softmax.augmentations.*": Dropped(UNSTATED, "images are augmented one by one, by data.transforms"),
    "loss.softmax.compute_s": Dropped(False, "the scale is what `scale` says"),
}

OLD: dict[str, Fate] = {
    "model.openvino.*": Dropped(UNSTATED, "a command: reidctl eval MODEL.xml"),
    "model.gap_as_conv": Woven(False, "model.pooling", FPN),
}

ALIASES = {
    "loss.softmax.conf_pen": "loss.softmax.conf_penalty",
    "metric_losses.local_push_weight": "metric_losses.local_push_coeff",
    "model.dropout_prob": "model.dropout.p",
    "model.fpn_dim": "model.fpn.dim",
    **{
        f"model.dropout_backbone.{key}": f"model.dropout.{key}"
        for key in ("p", "mu", "sigma", "kernel", "temperature", "dist")
    },
}
"""Names that other revisions gave to keys above."""
