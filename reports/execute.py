"""Execute a notebook from a clean kernel and keep its outputs: ``python execute.py NOTEBOOK``.

What ``jupyter execute --inplace`` does, but surely in the interpreter that runs this, and with
nothing in the file that differs from run to run besides the results.
"""

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

file = Path(sys.argv[1])
# the kernel called python3 is then this interpreter's, whatever others a user has
os.environ["JUPYTER_PATH"] = str(Path(sys.prefix, "share", "jupyter"))
notebook = nbformat.read(file, as_version=4)
NotebookClient(
    notebook, timeout=None, record_timing=False, resources={"metadata": {"path": file.parent}}
).execute()
del notebook.metadata["language_info"]  # the version of this Python
nbformat.write(notebook, file)
