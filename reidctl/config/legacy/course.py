"""Keys of the original toolkit about the course of training, and testing."""

from __future__ import annotations

from reidctl.config.legacy.fates import UNSTATED, Dropped, Fate, Kept, Woven, dropped, under, woven

STAGED = "train.staged_lr is True"
EARLY = "train.patience stops early here, and counts tests"
WARMUP = "train.lr_scheduler is multi_step_warmup or warmup"

TRAIN = under(
    "train",
    {
        "optim": Woven("adam", "train.optimizer"),
        "lr": Kept(3e-4, "train.lr"),
        "weight_decay": Kept(5e-4, "train.weight_decay"),
        "max_epoch": Kept(60, "train.epochs"),
        "start_epoch": Dropped(0, "a resumed run knows its epoch"),
        "batch_size": Kept(32, "train.batch_size"),
        "fixbase_epoch": Woven(0, "train.fixbase_epochs"),
        "open_layers": Woven(["classifier"], "train.open_layers", "train.fixbase_epoch is above 0"),
        "staged_lr": Woven(False, "train.base_lr_mult"),
        "base_lr_mult": Woven(0.1, "train.base_lr_mult", STAGED),
        "new_layers": Woven(["classifier"], "train.new_layers", STAGED),
        "lr_scheduler": Woven("single_step", "train.schedule"),
        "stepsize": Woven([20], "train.milestones", "train.lr_scheduler goes in steps"),
        "gamma": Kept(0.1, "train.gamma"),
        "lr_scales": Dropped([], "train.gamma is the one factor of all steps"),
        "print_freq": Dropped(20, "progress is shown all the time"),
        "seed": Kept(1, "seed", local=True),
        "warmup": Woven(1, "train.warmup_epochs", WARMUP),
        "warmup_factor_base": Dropped(0.1, "the warm-up starts from nearly 0"),
        "frozen_factor_base": Dropped(1.0, "the rate does not depend on frozen layers"),
    },
)

RULES: dict[str, Fate] = {
    "sgd.momentum": Kept(0.9, "train.momentum"),
    "sgd.dampening": Dropped(0.0, "momentum is not damped"),
    "sgd.nesterov": Dropped(False, "momentum is the plain one"),
    "rmsprop.alpha": Dropped(0.99, "alpha is 0.99"),
    **under("adam", woven("train.betas", beta1=0.9, beta2=0.999)),
}

TEST = under(
    "test",
    {
        "batch_size": Kept(100, "eval.batch_size"),
        **woven("eval.metric", dist_metric="euclidean", normalize_feature=False),
        "ranks": Kept([1, 5, 10, 20], "eval.ranks"),
        "evaluate": Dropped(False, "a command: reidctl eval MODEL"),
        "eval_freq": Kept(-1, "train.eval_every", rule=lambda every: max(0, every)),
        "start_eval": Dropped(0, "tests start with the first of train.eval_every"),
        "rerank": Woven(False, "eval.rerank"),
        "visrank": Dropped(False, "a command: reidctl visrank MODEL"),
        "visrank_topk": Dropped(10, "an option: reidctl visrank --topk"),
        "visactmap": Dropped(False, "a command: reidctl visact MODEL"),
        "apply_masks": Dropped(False, "there are no masks"),
    },
)

HEAD: dict[str, Fate] = {
    "_base_": Woven("", "the files are one here"),
    "lr_finder.*": Dropped(UNSTATED, "a command: reidctl train --find-lr PNG"),
    "train.base_optim": Woven("adam", "train.optimizer", "train.optim is sam"),
    **under("train", dropped(EARLY, early_stoping=UNSTATED, train_patience=UNSTATED)),
    "train.patience": Dropped(UNSTATED, "train.plateau_patience stands for it here, and counts tests"),
    "train.lr_decay_factor": Dropped(UNSTATED, "train.gamma is the one factor of all drops"),
    "train.base_scheduler": Woven("", "train.schedule", "train.lr_scheduler is warmup"),
    **under("train", dropped("the cosine has one cycle, down to 0", first_cycle_steps=UNSTATED, cycle_mult=UNSTATED)),
    **under("train", dropped("the rate falls from train.lr to 0", min_lr=UNSTATED, max_lr=UNSTATED)),
    "train.nbd": Dropped(False, "weight decay is the same for all weights"),
    "train.multiplier": Dropped(UNSTATED, "a warm-up ends at train.lr"),
    "train.deterministic": Kept(False, "deterministic"),
    "train.ema.enable": Woven(False, "train.ema_decay"),
    "train.ema.ema_decay": Woven(0.999, "train.ema_decay", "train.ema.enable is True"),
    "train.ema.*": Dropped(UNSTATED, "the average has its decay alone"),
    "sam.rho": Woven(0.05, "train.sam_rho", "train.optim is sam"),
    "sam.*": Dropped(UNSTATED, "sharpness-aware minimisation has its distance alone"),
    "nncf.*": Dropped(UNSTATED, "a network is not compressed while it trains"),
}

OLD: dict[str, Fate] = {"test.use_flip": Kept(False, "eval.flip")}

TOOL: dict[str, Fate] = {"use_gpu": Dropped(UNSTATED, "`device` is auto: a GPU where there is one")}
"""What the original's tool sets by itself."""
