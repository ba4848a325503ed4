"""What `reidctl --help` says of each command, so that it need not import them all: the first paragraph of their help.

In the order of the listing: single commands first, then those that have commands of their own.
"""

SUMMARIES = {
    "bench": "Measure speed, latency, memory and load time, each combination in its own process; say which to deploy.",
    "compare": "Set runs and evaluations side by side: figures, cost, and the keys of their configurations "
    "that differ.",
    "convert-weights": "Make a checkpoint of weights from elsewhere: "
    "`reidctl convert-weights net.onnx net.safetensors -p retail-0267`.",
    "demo": "Train, test, draw, export, verify and benchmark a retail network, in a few minutes on a CPU.",
    "doctor": "Print versions, devices, CPU features and what is missing; attach this to a report.",
    "embed": "Embed images into a file for `reidctl search` and other programs.",
    "eval": "Test a model: rank-k, mAP and mINP, and which distance means the same person.",
    "search": "Find the nearest embeddings by cosine distance (0 the same, 1 unrelated, 2 opposite).",
    "train": "Train a network: `reidctl train --preset retail-0267 --root data`.",
    "verify": "Embed the same images with A and B, each in its own process, and compare; exit 1 out of tolerance.",
    "visact": "Draw image, activation map and both overlaid: of a checkpoint, an ONNX file or an IR.",
    "visrank": "Draw the nearest gallery images of each query: green the same person, red another.",
    "batch_transforms": "The registered batch transforms.",
    "config": "Show, write, check and convert configurations.",
    "datasets": "The registered datasets.",
    "export": "Convert networks to ONNX and OpenVINO IR.",
    "indexes": "Indexes of embeddings, to which one adds, which one searches by camera and time, and which forget.",
    "loggers": "The registered loggers.",
    "losses": "The registered losses.",
    "models": "The registered models.",
    "plugins": "Parts that installed packages offer. Plugins run code: install only what you trust.",
    "presets": "The registered presets.",
    "runtimes": "The registered runtimes.",
    "transforms": "The registered transforms.",
    "zoo": "Networks that others published.",
}
