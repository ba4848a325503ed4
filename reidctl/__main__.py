"""`python -m reidctl` is `reidctl`."""

from reidctl.cli import main

if __name__ == "__main__":
    main()
