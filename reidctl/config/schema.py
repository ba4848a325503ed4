"""The spine of a run's configuration: every key, its type, its range and what it means."""

# No annotations of the future in this file and its neighbours of the schema: pydantic would compile every one of them
# from its text whenever a command starts.
from pathlib import Path
from typing import Annotated, Literal, Self

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import Field, model_validator

from reidctl.config.agreement import contradiction
from reidctl.config.evaluation import EvalConfig
from reidctl.config.teacher import TeacherConfig
from reidctl.types import ImageSpec, Spec, StrictModel

Count = Annotated[int, Ge(0)]
Positive = Annotated[int, Ge(1)]


class LossSpec(Spec):
    """A loss and its share of the total."""

    weight: Annotated[float, Ge(0), Field(description="factor of this loss in the total")] = 1.0


class DataConfig(StrictModel):
    """What is trained and tested on, and how images are read."""

    root: Annotated[Path, Field(description="folder that holds the data sets")] = Path("data")
    sources: Annotated[tuple[Spec, ...], MinLen(1), Field(description="data sets to train on")] = (
        Spec(name="market1501"),
    )
    targets: Annotated[tuple[Spec, ...], Field(description="data sets to test on; empty for none")] = (
        Spec(name="market1501"),
    )
    combineall: Annotated[
        bool, Field(description="train on the sources' query and gallery images too; no target may be a source then")
    ] = False
    min_images_per_identity: Annotated[
        Positive, Field(description="leave out training identities with fewer images")
    ] = 1
    allow_leakage: Annotated[
        bool, Field(description="train even where images or people of a target are trained on, too")
    ] = False
    on_bad_image: Annotated[
        Literal["error", "skip"],
        Field(
            description="files that are no image, damaged, cut short or wrongly named: error lists them before the "
            "first epoch, skip decodes every file first, leaves those out and counts them"
        ),
    ] = "error"
    image: Annotated[ImageSpec, Field(description="what is fed to the network")] = ImageSpec()
    transforms: Annotated[
        tuple[Spec, ...],
        Field(
            description="augmentations in order; those before `resize` see the original image; unlisted, it comes first"
        ),
    ] = (Spec(name="resize"), Spec(name="random_flip"))
    batch_transforms: Annotated[
        tuple[Spec, ...],
        Field(description="augmentations that mix the images of a batch; each step takes one of them, any alike"),
    ] = ()
    sampler: Annotated[
        Literal["random", "identity", "identity_v2", "identity_v3", "balanced"],
        Field(
            description="random: shuffle; identity: P identities × K images a batch, best for losses that compare "
            "images; identity_v2: rows of K that may straddle identities; identity_v3: the same number of images of "
            "every identity an epoch; balanced: K images of an identity, equal shares of data sets and of its cameras"
        ),
    ] = "identity"
    images_per_identity: Annotated[Positive, Field(description="K of the identity samplers")] = 4
    workers: Annotated[
        Count | Literal["auto"],
        Field(
            description="processes that read images, 0 reads in the main one; auto: 2, for a GPU 2 to 16, one for each "
            "core but its own, shared among the processes of a machine"
        ),
    ] = "auto"
    cache: Annotated[
        Literal["none", "memory", "disk"],
        Field(
            description="keep decoded training images, resized where resize comes first: in memory, or in a file that "
            "later runs use too; 64 × 128 pixels take 24 kB, 128 × 256 four times as much"
        ),
    ] = "none"
    cache_dir: Annotated[Path, Field(description="folder of the files of data.cache=disk")] = Path("cache")


class TrainConfig(StrictModel):
    """How the network is trained."""

    epochs: Annotated[Positive, Field(description="passes over the sampler")] = 60
    batch_size: Annotated[Positive, Field(description="images a batch, over all processes together")] = 64
    accumulate: Annotated[
        Positive,
        Field(
            description="batches a step; their gradients are averaged, as those of one large batch where losses are "
            "means over images; norms and losses that compare images still see one batch at a time"
        ),
    ] = 1
    optimizer: Annotated[
        Literal["adam", "amsgrad", "adamw", "sgd", "rmsprop", "radam"], Field(description="update rule")
    ] = "amsgrad"
    lr: Annotated[float, Gt(0), Field(description="learning rate at its highest")] = 0.0015
    weight_decay: Annotated[
        float, Ge(0), Field(description="L2 penalty in the gradient; decoupled from it for adamw and radam")
    ] = 0.0005
    momentum: Annotated[float, Ge(0), Lt(1), Field(description="of sgd and rmsprop")] = 0.9
    betas: Annotated[
        tuple[Annotated[float, Ge(0), Lt(1)], Annotated[float, Ge(0), Lt(1)]],
        Field(description="decay of the moments of adam, amsgrad, adamw and radam"),
    ] = (0.9, 0.999)
    sam_rho: Annotated[
        Annotated[float, Gt(0)] | None,
        Field(
            description="sharpness-aware minimisation: take the gradient where the loss is highest within this "
            "distance, 0.05 mostly; two passes a step; null for none"
        ),
    ] = None
    base_lr_mult: Annotated[
        float, Gt(0), Le(1), Field(description="factor of lr for the layers of the model that are not in new_layers")
    ] = 1.0
    new_layers: Annotated[
        tuple[str, ...],
        Field(description="top-level children of the model that learn at the full lr, as the losses do"),
    ] = ()
    schedule: Annotated[
        Literal["constant", "multi_step", "cosine", "one_cycle", "plateau"],
        Field(
            description="course of the learning rate; one_cycle: up to lr over 30 % of the run, then down to almost "
            "nothing; plateau: lr times gamma when best_metric, or without tests the loss, stops getting better"
        ),
    ] = "cosine"
    milestones: Annotated[
        tuple[Positive, ...], Field(description="multi_step: epochs after which lr is multiplied by gamma")
    ] = ()
    gamma: Annotated[float, Gt(0), Le(1), Field(description="multi_step, plateau: factor of each drop")] = 0.1
    plateau_patience: Annotated[
        Positive,
        Field(description="plateau: tests, or without them epochs, in a row with nothing better before a drop"),
    ] = 5
    warmup_epochs: Annotated[
        Count, Field(description="epochs over which lr rises linearly to its full value, step by step")
    ] = 0
    fixbase_epochs: Annotated[
        Count, Field(description="first epochs in which only open_layers and the losses learn")
    ] = 0
    open_layers: Annotated[
        tuple[str, ...], Field(description="top-level children of the model that learn during fixbase_epochs")
    ] = ()
    clip_norm: Annotated[
        Annotated[float, Gt(0)] | None, Field(description="largest norm of the whole gradient; null for no limit")
    ] = None
    precision: Annotated[
        Literal["auto", "f32", "bf16", "f16"],
        Field(
            description="arithmetic of the network; weights and losses are always f32; auto: bf16 where the device "
            "computes it, else f32, and f32 in deterministic runs; f16 scales the loss to keep gradients"
        ),
    ] = "auto"
    ema_decay: Annotated[
        Annotated[float, Gt(0), Lt(1)] | None,
        Field(
            description="test and keep an exponential moving average of the weights with this decay, 0.999 mostly; it "
            "decays faster at first; null for none"
        ),
    ] = None
    channels_last: Annotated[bool, Field(description="store images channel by channel last; often faster")] = True
    compile: Annotated[
        bool | Literal["auto"],
        Field(description="compile the network first, which takes minutes; auto does where that makes a run shorter"),
    ] = "auto"
    cuda_graphs: Annotated[
        bool,
        Field(
            description="on a GPU launch the passes of the network whole, as CUDA graphs, by which small networks "
            "gain much; not for networks that do something else every step, nor beside accumulate or sync_norms"
        ),
    ] = False
    eval_every: Annotated[Count, Field(description="test after every so many epochs; 0 tests after the last only")] = 5
    best_metric: Annotated[
        str,
        Field(
            pattern=r"^(mAP|mINP|rank-[1-9]\d*)$",
            description="what decides which weights are the best: mAP, mINP or rank-K, averaged over the targets",
        ),
    ] = "mAP"
    patience: Annotated[
        Positive | None, Field(description="stop after so many tests in a row with nothing better; null for never")
    ] = None
    save_minutes: Annotated[
        float,
        Ge(0),
        Field(description="save the state within an epoch, too, every so many minutes; 0 at the ends of epochs only"),
    ] = 10.0
    on_nan: Annotated[
        Literal["stop", "rollback"],
        Field(
            description="a loss that is not finite: stop names the images; rollback goes back to the last saved state "
            "with half the learning rate, five times at most"
        ),
    ] = "stop"
    teacher: Annotated[
        TeacherConfig | None, Field(description="network to learn from, by the distill_… losses; null for none")
    ] = None
    mutual: Annotated[
        tuple[Spec, ...],
        Field(description="networks trained beside `model` that learn from each other, by the mutual_… losses"),
    ] = ()
    sync_norms: Annotated[
        bool, Field(description="several processes: batch norms use the statistics of the whole batch, not of a share")
    ] = False


class RunConfig(StrictModel):
    """One training run, complete: what `reidctl train` does, and what every artefact made from it remembers."""

    preset: Annotated[str | None, Field(description="preset that the rest is laid over")] = None
    run: Annotated[
        str | None, MinLen(1), Field(description="name of the run's folder; the preset's, else the model's")
    ] = None
    runs: Annotated[Path, Field(description="folder of all runs")] = Path("runs")
    seed: Annotated[int, Ge(0), Lt(2**32), Field(description="of weights, sampling and augmentation")] = 0
    deterministic: Annotated[bool, Field(description="only algorithms that give the same result every time")] = False
    device: Annotated[str, MinLen(1), Field(description="auto, cpu, cuda or cuda:N")] = "auto"
    weights: Annotated[
        Path | None, Field(description="checkpoint, PyTorch or ONNX file whose weights training starts from")
    ] = None
    allow_partial: Annotated[bool, Field(description="start from weights that fit the network only in part, too")] = (
        False
    )
    model: Annotated[Spec, Field(description="network: a registered model and its parameters")] = Spec(
        name="fpn_osnet_x1_0"
    )
    losses: Annotated[tuple[LossSpec, ...], MinLen(1), Field(description="losses whose weighted sum is minimised")] = (
        LossSpec(name="am_softmax"),
    )
    data: Annotated[DataConfig, Field(description="images")] = DataConfig()
    train: Annotated[TrainConfig, Field(description="training")] = TrainConfig()
    loggers: Annotated[
        tuple[Spec, ...], Field(description="who is told how the run goes, besides the tables in its folder")
    ] = ()
    eval: Annotated[EvalConfig, Field(description="testing")] = EvalConfig()

    @property
    def run_name(self) -> str:
        """The name of the run's folder."""
        return self.run or (self.preset or self.model.name).replace("/", "-").replace(":", "-")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if said := contradiction(self):
            raise ValueError(said)
        return self
