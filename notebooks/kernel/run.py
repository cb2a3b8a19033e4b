"""Executes notebooks in the kernel "slimvox" and writes them, with an HTML page each, to a folder.

run.py OUT CELL_TIMEOUT_SECONDS SAVE NOTEBOOK ...

CELL_TIMEOUT_SECONDS 0 sets no limit; SAVE 1 also stores the results in the notebook itself.
Exits with 1 if a cell failed; the notebook and the page are written all the same.
"""

import pathlib
import re
import sys
import tempfile
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def failure(notebook, problem):
    """Names the cell that failed, its first line and the error."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, 1):
        errors = [o for o in cell.outputs if o.output_type == "error"]
        if errors:
            trace = COLOUR.sub("", "\n".join(errors[0].traceback)).rstrip()
            return f"code cell {number} failed\n{indented(cell.source)}\n{indented(trace)}"
    ran = [n for n, cell in enumerate(code, 1) if cell.execution_count]
    return f"code cell {(ran or [0])[-1] + 1}: {problem}"


def indented(text):
    return "\n".join("    " + line for line in text.splitlines())


def execute(path, out, timeout, save):
    """Executes one notebook; returns whether all of its cells ran."""
    print(f"{path.name}: running", flush=True)
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        kernel_name="slimvox",
        timeout=timeout or None,
        startup_timeout=300,
        interrupt_on_timeout=True,
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    start = time.monotonic()
    problem = None
    log = tempfile.TemporaryFile("w+")  # the JVM's own messages; of use only if it dies
    try:
        client.execute(stderr=log)
    except CellTimeoutError:
        problem = f"it ran longer than {timeout} s"
    except CellExecutionError as e:
        problem = str(e)
    except (DeadKernelError, RuntimeError) as e:
        log.seek(0)
        problem = f"the kernel died: {e}\n{indented(log.read())}"
    seconds = time.monotonic() - start
    out.mkdir(parents=True, exist_ok=True)
    stored = out / path.name
    nbformat.write(notebook, stored)
    page, _ = HTMLExporter(template_name="slimvox", embed_images=True).from_notebook_node(notebook)
    stored.with_suffix(".html").write_text(page, encoding="utf-8")
    if problem:
        print(f"{path.name}: {failure(notebook, problem)}", file=sys.stderr, flush=True)
        return False
    if save:
        nbformat.write(notebook, path)
    kilobytes = stored.stat().st_size / 1000
    print(f"{path.name}: {seconds:.0f} s, {kilobytes:.0f} kB, written to {stored}", flush=True)
    return True


def main():
    out, timeout, save, *paths = sys.argv[1:]
    ran = [execute(pathlib.Path(p), pathlib.Path(out), int(timeout), save == "1") for p in paths]
    sys.exit(0 if all(ran) else 1)


main()
