"""Keys of the original toolkit about the network and its losses."""

from __future__ import annotations

from reidctl.config.legacy.fates import UNSTATED, Dropped, Fate, Woven, dropped, under, woven

FPN = "model.name is an fpn_osnet"
CLASSIFIERS = "classification and contrastive learning are no re-identification"
OTHER_HEADS = "multi-head and attribute models are not part of this toolkit"
REGULARISER = "a regulariser that no published model was trained with"
METRIC_LOSS = "its metric losses have no counterpart; the loss `triplet` has one of them"
SCHEDULED_SCALE = "the scale does not change during training"

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
                **woven("losses", "loss.name is am_softmax", pr_product=False, m=0.35, s=30.0),
                **dropped(SCHEDULED_SCALE, end_s=-1.0, duration_s=-1, skip_steps_s=-1, base_num_classes=-1),
                "adaptive_margins": Dropped(False, "the margin is the same for every class"),
                "class_weighting": Dropped(
                    False, "every class weighs the same; the original averaged class numbers instead"
                ),
                "symmetric_ce": Dropped(False, "there is no symmetric cross entropy"),
            },
        ),
        **under("triplet", woven("losses", "loss.name is triplet", margin=0.3, weight_t=1.0, weight_x=0.0)),
    },
)

OTHER_TERMS: dict[str, Fate] = {
    **under("mixing_loss", dropped("one augmented copy of an image is trained on at a time", enable=False, weight=1.0)),
    **under(
        "metric_losses",
        dropped(
            METRIC_LOSS,
            enable=False,
            center_coeff=0.0,
            triplet_coeff=0.0,
            local_push_coeff=1.0,
            center_margin=0.1,
            triplet_margin=0.35,
            local_push_margin=0.1,
            smart_margin=True,
            triplet="semihard",
            loss_balancing=True,
            centers_lr=0.5,
            balancing_lr=0.01,
        ),
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
            **dropped(REGULARISER, ow=False, ow_beta=1e-3, nw=False, nw_max_ratio=10.0, nw_scale=10.0),
            **dropped(REGULARISER, hd=False, hd_max_score=0.5, hd_scale=10.0),
            **dropped("the original has no such regulariser either", of=False, of_beta=1e-6, of_start_epoch=23),
        },
    ),
}

HEAD: dict[str, Fate] = {
    "model.save_chkpt": Dropped(UNSTATED, "a run always keeps its best and its last weights"),
    "model.dropout_backbone.*": Dropped(UNSTATED, "this kind of dropout has no such parameter"),
    "model.dropout_cls.*": Dropped(UNSTATED, "the dropout before the embedding is p of model.dropout"),
    "model.self_challenging_cfg.*": Dropped(UNSTATED, "there is no self-challenging training"),
    "mutual_learning.*": Dropped(UNSTATED, "one network is trained at a time"),
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
