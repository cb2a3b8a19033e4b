"""Installs the kernelspec "slimvox" for the Python that runs this, with absolute paths, and what
interactive figures need: the plotting library, once for JupyterLab and once in a template of pages.
Settings of the server and an extension of JupyterLab make cells go on when no tab looks at them.

install.py JAVA XMX SOURCES CLASSPATH LOCALE [JVM-FLAG ...]
"""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

HERE = pathlib.Path(__file__).parent
PLOTLY = "plotly-basic-2.35.2.min.js.gz"
EXTENSION = {"load": "trust.js", "extension": "./extension"}
PAGE = """{%%- extends 'lab/index.html.j2' -%%}
{%%- block html_head_js -%%}
{{ super() }}
<script>window.slimvoxPlotly = "%s";</script>
{%%- endblock html_head_js -%%}
{%%- block data_png scoped -%%}
{{ super().replace("<img ", '<img alt="' ~ output.data.get("text/plain", "")|escape_html ~ '" ', 1) }}
{%%- endblock data_png -%%}
"""


def put(path, data):
    """Writes a file that differs, whole: another that installs or starts may read it meanwhile."""
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_bytes(data)
    part.replace(path)


def install_plotly(jar):
    with zipfile.ZipFile(jar) as archive:
        packed = archive.read("slimvox/plot/" + PLOTLY)
    share = pathlib.Path(sys.prefix, "share/jupyter")
    lab = share / "labextensions/slimvox"
    put(lab / PLOTLY, packed)
    package = {"name": "slimvox", "version": "1.0.0", "jupyterlab": {"_build": EXTENSION}}
    put(lab / "package.json", json.dumps(package).encode())
    put(lab / "trust.js", (HERE / "trust.js").read_bytes())
    template = share / "nbconvert/templates/slimvox"
    put(template / "conf.json", b'{"base_template": "lab"}')
    put(template / "index.html.j2", (PAGE % base64.b64encode(packed).decode()).encode())


def move_jjava(home):
    """Takes the kernel's jar out of JJava's own kernel, which knows nothing of SlimVox."""
    bare = pathlib.Path(sys.prefix, "share/jupyter/kernels/java")
    jar = home / "jjava.jar"
    if (bare / jar.name).is_file():
        home.mkdir(parents=True, exist_ok=True)
        shutil.move(bare / jar.name, jar)
        shutil.rmtree(bare)
    if not jar.is_file():
        sys.exit(f"{jar} is missing: the package jjava is not installed for {sys.executable}")
    return jar


def compile_kernel(javac, sources, classpath, classes):
    needed = [*pathlib.Path(sources).rglob("*.java")]
    made = classes / "slimvox/kernel/SlimVoxKernel.class"
    built = made.stat().st_mtime if made.is_file() else 0
    if all(p.stat().st_mtime < built for p in [*needed, *map(pathlib.Path, classpath)]):
        return
    command = [javac, "-proc:none", "-nowarn", "-d", classes, "-cp", ":".join(classpath), *needed]
    if subprocess.run(list(map(str, command))).returncode:
        sys.exit("the kernel could not be compiled; the reason is above")


def main():
    java, xmx, sources, classpath, locale, *flags = sys.argv[1:]
    home = pathlib.Path(sys.prefix, "share/slimvox")
    jars = [str(move_jjava(home)), *classpath.split(":")]
    compile_kernel(pathlib.Path(java).with_name("javac"), sources, jars, home / "kernel")
    text = (HERE / "kernel.json.in").read_text(encoding="utf-8")
    values = {
        "JAVA": java,
        "XMX": xmx,
        "CLASSPATH": ":".join([str(home / "kernel"), *jars]),
        "LOCALE": locale,
    }
    for name, value in values.items():
        text = text.replace(f"@{name}@", json.dumps(value)[1:-1])
    spec = json.loads(text)
    at = spec["argv"].index("@FLAGS@")
    # Where NVIDIA's libraries may be; the kernel's own environment need not be activated.
    spec["argv"][at : at + 1] = [*flags, f"-Dslimvox.python={sys.prefix}"]
    kernel = pathlib.Path(sys.prefix, "share/jupyter/kernels/slimvox/kernel.json")
    put(kernel, json.dumps(spec, indent=2).encode())
    install_plotly(classpath.split(":")[0])
    put(home / "jupyter_server_config.py", (HERE / "jupyter_server_config.py").read_bytes())


main()
