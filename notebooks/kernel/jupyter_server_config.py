"""What the server needs so that cells belong to it: installed beside the kernel, read at its start
because JUPYTER_CONFIG_PATH names its folder.

The extensions of environment.yml execute cells in the server, which writes outputs into the open
document; tabs only look at it.
"""

import atexit
import shutil
import tempfile
from functools import wraps
from pathlib import Path

LONGEST_TEXT = 100_000  # that is sent again when a panel below it is redrawn

c = get_config()  # noqa: F821

# A document stays although nobody looks at it, as long as its kernel may write into it.
c.YDocExtension.document_cleanup_delay = None
# The history of edits is of no use beyond a session, and grows with every redrawn panel.
folder = Path(tempfile.mkdtemp(prefix="slimvox-lab-"))
atexit.register(shutil.rmtree, folder, ignore_errors=True)
c.YDocExtension.session_store_path = str(folder / "sessions.json")
c.SQLiteYStore.db_path = str(folder / "edits.db")
c.SQLiteYStore.document_ttl = 600


def with_updates(original):
    """Lets an output be replaced, which jupyter-server-nbmodel 0.2.9 leaves out.

    JupyterLab appends whatever is inserted into the outputs of a shared cell, and adds printed text
    to the last one. So the new state becomes the last output, below what was printed meanwhile.
    """

    @wraps(original)
    def hook(outputs, ycell, stream, message):
        content, header = message["content"], message["header"]
        display = content.get("transient", {}).get("display_id")
        if display is not None:
            content["metadata"]["display_id"] = display
        if header["msg_type"] != "update_display_data":
            return original(outputs, ycell, stream, message)
        header["msg_type"] = "display_data"
        remove(outputs, display)
        if ycell is None:
            return original(outputs, ycell, stream, message)
        with ycell.doc.transaction():
            remove(ycell["outputs"], display)
            join_last_texts(ycell["outputs"])
            return original(outputs, ycell, stream, message)

    return hook


def remove(outputs, display):
    for i, output in enumerate(outputs):
        if output.get("metadata", {}).get("display_id") == display:
            del outputs[i]
            return


def join_last_texts(outputs):
    """Makes one output of what was printed before and after a redrawn one."""
    from pycrdt import Map, Text

    last = len(outputs) - 1
    if last < 1 or any(outputs[i]["output_type"] != "stream" for i in (last - 1, last)):
        return
    name, before = outputs[last]["name"], str(outputs[last - 1]["text"])
    if outputs[last - 1]["name"] == name and len(before) < LONGEST_TEXT:
        text = Text(before + str(outputs[last]["text"]))
        del outputs[last - 1 : last + 1]
        outputs.append(Map({"output_type": "stream", "name": name, "text": text}))


try:
    import jupyter_server_nbmodel.actions as actions
except ImportError:
    pass
else:
    actions._output_hook = with_updates(actions._output_hook)
