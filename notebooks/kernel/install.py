"""Installs the kernelspec "slimvox" for the Python that runs this, with absolute paths, and what
interactive figures need: the plotting library, once for JupyterLab and once in a template of pages.

install.py JAVA XMX CLASSPATH LOCALE [JVM-FLAG ...]
"""

import base64
import json
import pathlib
import sys
import tempfile
import zipfile

from jupyter_client.kernelspec import KernelSpecManager

PLOTLY = "plotly-basic-2.35.2.min.js.gz"
PAGE = """{%%- extends 'lab/index.html.j2' -%%}
{%%- block html_head_js -%%}
{{ super() }}
<script>window.slimvoxPlotly = "%s";</script>
{%%- endblock html_head_js -%%}
"""


def install_plotly(jar):
    with zipfile.ZipFile(jar) as archive:
        packed = archive.read("slimvox/plot/" + PLOTLY)
    share = pathlib.Path(sys.prefix, "share/jupyter")
    lab = share / "labextensions/slimvox"
    lab.mkdir(parents=True, exist_ok=True)
    (lab / PLOTLY).write_bytes(packed)
    template = share / "nbconvert/templates/slimvox"
    template.mkdir(parents=True, exist_ok=True)
    (template / "conf.json").write_text('{"base_template": "lab"}')
    (template / "index.html.j2").write_text(PAGE % base64.b64encode(packed).decode())


def main():
    java, xmx, classpath, locale, *flags = sys.argv[1:]
    jjava = pathlib.Path(sys.prefix, "share/jupyter/kernels/java/jjava.jar")
    if not jjava.is_file():
        sys.exit(f"{jjava} is missing: the package jjava is not installed for {sys.executable}")
    text = pathlib.Path(__file__).with_name("kernel.json.in").read_text(encoding="utf-8")
    values = {
        "JAVA": java,
        "XMX": xmx,
        "CLASSPATH": classpath,
        "JJAVA": str(jjava),
        "LOCALE": locale,
    }
    for name, value in values.items():
        text = text.replace(f"@{name}@", json.dumps(value)[1:-1])
    spec = json.loads(text)
    at = spec["argv"].index("@FLAGS@")
    # Where NVIDIA's libraries may be; the kernel's own environment need not be activated.
    spec["argv"][at : at + 1] = [*flags, f"-Dslimvox.python={sys.prefix}"]
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "kernel.json").write_text(json.dumps(spec, indent=2))
        KernelSpecManager().install_kernel_spec(folder, "slimvox", prefix=sys.prefix)
    install_plotly(classpath.split(":")[0])


main()
