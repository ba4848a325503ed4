"""`reidctl ray embed|eval`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from reidctl.cli.eval_options import RULES, ranks_of
from reidctl.cli.options import (
    Device,
    Extension,
    Force,
    Images,
    InputFacts,
    Json,
    Labels,
    Precision,
    Root,
    StreamBatch,
    UnreadableImages,
    complete_model,
)
from reidctl.cli.output import output
from reidctl.errors import InputError

app = typer.Typer(help="Embedding and evaluation on a Ray cluster.", no_args_is_help=True)

Address = Annotated[
    str,
    typer.Option(
        "--address", help="Cluster: auto for the one this machine belongs to, local for one of its own, or HOST:PORT."
    ),
]


@app.command()
def embed(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help="Checkpoint, .onnx, .xml, run folder or preset; all machines see it under the same path.",
            autocompletion=complete_model,
            show_default=False,
        ),
    ],
    images: Images = None,
    folder: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the shards, seen by all machines under the same path.")
    ] = Path("features"),
    address: Address = "auto",
    actors: Annotated[int, typer.Option("--actors", min=1, help="Networks that are open at once.")] = 1,
    cpus: Annotated[float, typer.Option("--cpus", min=0, help="Cores of each; they decode on as many threads.")] = 1,
    gpus: Annotated[float, typer.Option("--gpus", min=0, help="GPUs of each; 0.5 for two networks a GPU.")] = 0,
    shard_rows: Annotated[int, typer.Option("--shard-rows", min=1, help="Images a shard, in whole batches.")] = 4096,
    data: Labels = None,
    root: Root = None,
    on_bad_image: UnreadableImages = "error",
    batch_size: StreamBatch = None,
    device: Device = "auto",
    precision: Precision = None,
    input_: InputFacts = None,
    extension: Extension = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Embed images on a cluster, into a folder of feature files for `reidctl search` and `reidctl ray eval`.

    A call that was stopped goes on when it is given again: finished shards are kept.
    """
    from reidctl.cli.targets import listed_samples, made_by, open_model
    from reidctl_ray.cluster import connected
    from reidctl_ray.embedding import Pool, embed_on_cluster
    from reidctl_ray.shards import Task

    samples = listed_samples(images, data, root)
    model = str(Path(model).absolute()) if Path(model).exists() else model
    opened = open_model(model, device, precision, input_, extension)
    made, size = made_by(opened, model, input_, extension), opened.embedder.stream_batch(batch_size)
    # Workers open it again, where there may be no memory for one more.
    del opened
    skip = on_bad_image == "skip"
    library = extension.absolute() if extension else None
    task = Task(
        folder.absolute(), model, made, size, device, precision, input_, library, skip, threads=max(1, int(cpus))
    )
    with connected(address), output.progress("embed", len(samples)) as advance:
        try:
            found = embed_on_cluster(task, samples, shard_rows, Pool(actors, cpus, gpus), force=force, progress=advance)
        except InputError as error:
            raise InputError(str(error), error.hint or "finished shards are kept: give the call again") from error
    if found.skipped:
        shown = ", ".join(found.skipped[:3]) + (" …" if len(found.skipped) > 3 else "")
        output.warning(f"{len(found.skipped):,} bad images skipped: {shown}")
    if json:
        values = {"folder": str(folder), "shards": found.shards, "kept": found.kept, "rows": found.rows}
        output.json("reidctl.ray-embed/1", {**values, "dim": made.info.embedding_dim, "skipped": found.skipped})
        return
    output.text(str(folder))
    kept = f", {found.kept:,} of them from an earlier call" if found.kept else ""
    output.note(f"{found.rows:,} embeddings of {made.info.embedding_dim} numbers in {found.shards:,} shards{kept}")


@app.command("eval")
def evaluate(
    query: Annotated[
        Path, typer.Argument(help="Feature file of the queries, or a folder of such.", show_default=False)
    ],
    gallery: Annotated[
        list[Path], typer.Argument(help="Those of the gallery: files, or folders of files.", show_default=False)
    ],
    address: Address = "auto",
    parts: Annotated[
        int, typer.Option("--parts", min=0, help="Pieces of the gallery, one a core; 0 for all cores.")
    ] = 0,
    metric: Annotated[Literal["cosine", "euclidean"], typer.Option("--metric", help="Distance.")] = "cosine",
    ap: Annotated[Literal["market", "trapezoid"], typer.Option("--ap", help="Rule of average precision.")] = "market",
    ranks: Annotated[str, typer.Option("--ranks", metavar="K,K,…", help="Ranks to tell.")] = "1,5,10,20",
    json: Json = False,
) -> None:
    """Rank-k, mAP and mINP of labelled feature files, whose gallery no one machine need hold."""
    from reidctl_ray.cluster import connected
    from reidctl_ray.evaluation import evaluate_on_cluster

    wanted = ranks_of(ranks)
    with connected(address), output.progress("evaluate") as advance:
        found = evaluate_on_cluster(
            [query],
            gallery,
            parts=parts,
            metric=metric,
            ranks=wanted,
            ap_rule=RULES[ap],
            progress=advance,
        )
    values = found.as_dict()
    if json:
        output.json("reidctl.ray-eval/1", values)
        return
    shown = [f"rank{k}" for k in wanted] + ["mAP", "mINP"]
    output.table(
        [*shown, "queries", "gallery"], [[*(f"{values[key]:.2%}" for key in shown), found.valid_queries, found.gallery]]
    )
