"""Talks to a kernel "slimvox" as JupyterLab does: a request a line, in JSON, on standard input.

{"run": [CELL ...]}               sends all cells at once, as Run All does
{"stop": CELL, "then": [CELL ...]}  the same, with Stop as soon as the first cell has printed
{"inspect": CODE} {"complete": CODE}  with the cursor at the end, or at "cursor"

Answers, a line each: for cells a list of {"status", "text", "error", "messages", "seconds"}, else
the content of the reply.
"""

import json
import re
import sys
import time

from jupyter_client.manager import start_new_kernel

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
PATIENCE_S = 120


def run(client, codes, stop):
    start = time.monotonic()
    ids = [client.execute(code) for code in codes]
    cells = {i: {"text": "", "error": "", "messages": 0} for i in ids}
    stopped = not stop
    while True:
        message = client.get_iopub_msg(timeout=PATIENCE_S)
        parent, content = message["parent_header"].get("msg_id"), message["content"]
        cell = cells.get(parent)
        if cell is None:
            continue
        kind = message["msg_type"]
        if kind == "status" and content["execution_state"] == "idle":
            cell["seconds"] = time.monotonic() - start
            if all("seconds" in c for c in cells.values()):
                break
        elif kind == "stream":
            cell["messages"] += 1
            cell["text"] += content["text"]
            if not stopped:
                stopped = True
                start = time.monotonic()
                client.control_channel.send(client.session.msg("interrupt_request"))
        elif kind in ("execute_result", "display_data"):
            cell["text"] += content["data"]["text/plain"]
        elif kind == "error":
            cell["error"] = COLOUR.sub("", "\n".join(content["traceback"]))
    while any("status" not in c for c in cells.values()):
        reply = client.get_shell_msg(timeout=PATIENCE_S)
        cell = cells.get(reply["parent_header"].get("msg_id"))
        if cell is not None:
            cell["status"] = reply["content"]["status"]
    return [cells[i] for i in ids]


def ask(client, request):
    if "run" in request:
        return run(client, request["run"], False)
    if "stop" in request:
        return run(client, [request["stop"], *request["then"]], True)
    if "inspect" in request:
        asked = client.inspect(request["inspect"])
    else:
        asked = client.complete(request["complete"], request.get("cursor"))
    while True:
        reply = client.get_shell_msg(timeout=PATIENCE_S)
        if reply["parent_header"].get("msg_id") == asked:
            return reply["content"]


def main():
    manager, client = start_new_kernel(kernel_name="slimvox", startup_timeout=300)
    try:
        for line in sys.stdin:
            print(json.dumps(ask(client, json.loads(line))), flush=True)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


main()
