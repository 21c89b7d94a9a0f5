"""Execute notebooks from a clean kernel and keep their outputs: ``python execute.py FILE...``.

What ``jupyter execute --inplace`` does, but in the interpreter that runs this, whatever other
kernels a user has, and with nothing in the file that differs from run to run but the results.
"""

import sys
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

for file in map(Path, sys.argv[1:]):
    notebook = nbformat.read(file, as_version=4)
    NotebookClient(
        notebook,
        # without folders to search, python3 is the kernel of this interpreter
        km=AsyncKernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[])),
        timeout=None,
        record_timing=False,
        resources={"metadata": {"path": file.parent}},
    ).execute()
    del notebook.metadata["language_info"]  # names this Python's version
    nbformat.write(notebook, file)
