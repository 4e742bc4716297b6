"""Lays out one package of every kind under the folder given, with the index files that its client asks for."""
import base64, gzip, hashlib, io, json, pathlib, sys, tarfile, zipfile

root = pathlib.Path(sys.argv[1])
at = "https://packages.test"


def put(path, data):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data if isinstance(data, bytes) else data.encode())


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def tarred(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# pip: the simple index and a wheel.
wheel = zipped({
    "bottled.py": "WORDS = 'bottled by pip'\n",
    "bottled-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: bottled\nVersion: 1.0\n",
    "bottled-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "bottled-1.0.dist-info/RECORD": "bottled.py,,\nbottled-1.0.dist-info/METADATA,,\n"
                                    "bottled-1.0.dist-info/WHEEL,,\nbottled-1.0.dist-info/RECORD,,\n",
})
name = "bottled-1.0-py3-none-any.whl"
put(f"files/{name}", wheel)
put("simple/bottled/index.html", f'<a href="{at}/files/{name}#sha256={sha256(wheel)}">{name}</a>')

# npm: the document of the package and its tarball.
tgz = tarred({
    "package/package.json": json.dumps({"name": "bottled", "version": "1.0.0", "main": "index.js"}),
    "package/index.js": "module.exports = 'bottled by npm'\n",
})
put("files/bottled-1.0.0.tgz", tgz)
dist = {
    "tarball": f"{at}/files/bottled-1.0.0.tgz",
    "integrity": "sha512-" + base64.b64encode(hashlib.sha512(tgz).digest()).decode(),
}
version = {"name": "bottled", "version": "1.0.0", "main": "index.js", "dist": dist}
put("npm/bottled", json.dumps({"name": "bottled", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}))

# cargo: the sparse index and a crate.
crate = tarred({
    "bottled-1.0.0/Cargo.toml": '[package]\nname = "bottled"\nversion = "1.0.0"\nedition = "2021"\n',
    "bottled-1.0.0/src/lib.rs": 'pub const WORDS: &str = "bottled by cargo";\n',
})
put("files/bottled-1.0.0.crate", crate)
put("cargo/config.json", json.dumps({"dl": f"{at}/files/{{crate}}-{{version}}.crate"}))
line = {"name": "bottled", "vers": "1.0.0", "deps": [], "cksum": sha256(crate), "features": {}, "yanked": False}
put("cargo/bo/tt/bottled", json.dumps(line) + "\n")

# go: the module proxy.
module = "example.test/bottled"
put(f"go/{module}/@v/list", "v1.0.0\n")
put(f"go/{module}/@v/v1.0.0.info", json.dumps({"Version": "v1.0.0", "Time": "2026-01-01T00:00:00Z"}))
put(f"go/{module}/@v/v1.0.0.mod", f"module {module}\n\ngo 1.18\n")
put(f"go/{module}/@v/v1.0.0.zip", zipped({
    f"{module}@v1.0.0/go.mod": f"module {module}\n\ngo 1.18\n",
    f"{module}@v1.0.0/bottled.go": 'package bottled\n\nconst Words = "bottled by go"\n',
}))
