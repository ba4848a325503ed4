"""Fresh virtual environments that see the packages of this one, so that nothing is left behind in this one."""

from __future__ import annotations

import site
import subprocess
import venv
from pathlib import Path


def fresh_environment(folder: Path, with_pip: bool = False) -> Path:
    """Make an environment in `folder`; its interpreter."""
    venv.create(folder, with_pip=with_pip)
    interpreter = folder / "bin" / "python"
    purelib = subprocess.run(
        [interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    lines = [f"import site; site.addsitedir({path!r})" for path in site.getsitepackages()]
    (Path(purelib) / "base.pth").write_text("\n".join(lines) + "\n")
    return interpreter
