"""Built-in augmentations: PIL RGB image -> PIL RGB image, drawn from torch's global generator."""
