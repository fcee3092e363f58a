# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places by the real rclone: a directory, a disk that fills up, a place that goes while it is written to, and S3; envelopes by the real zstd and age.

S3 is a server of moto in a virtual environment of its own (tools/venv s3).
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup import envelope
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.envelope import EnvelopeError, Sealer
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.place import (
    DENIED,
    FULL,
    GONE,
    MISSING,
    SLOW,
    Entry,
    Place,
    PlaceError,
    kind_of_failure,
    sentence,
)

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "A place that is full, gone, slow or denies is told apart, and keeps nothing that is half written."
    ),
    pytest.mark.skipif(not shutil.which("rclone"), reason="needs rclone"),
]
MOTO = Path(__file__).resolve().parents[4] / ".cache/s3/bin/moto_server"
SEALS = pytest.mark.skipif(not shutil.which("age") or not shutil.which("zstd"), reason="needs age and zstd")


@pytest.fixture(scope="module", name="server")
def fixture_server():
    """The port of an S3 server."""
    if not MOTO.exists():
        pytest.skip("S3: no server (tools/venv s3)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(
        [str(MOTO), "-H", "127.0.0.1", "-p", str(port)],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as process:
        end = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/", timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.1)
        yield port
        process.terminate()


# By this moto knows for which of its services a request is.
FOR_S3 = "AWS4-HMAC-SHA256 Credential=x/20261127/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x"


def s3(port, config, bucket="backups"):
    """A place in S3."""
    config.write_text(
        f"[store]\ntype = s3\nprovider = Minio\naccess_key_id = Key-Secret\nsecret_access_key = Secret-Secret\nendpoint = http://127.0.0.1:{port}\n"
        "force_path_style = true\n"
    )
    return Place(f"store:{bucket}/folder", str(config))


@pytest.fixture(name="place", params=["directory", "s3"])
def fixture_place(request, tmp_path):
    if request.param == "directory":
        (tmp_path / "place").mkdir()
        return Place(str(tmp_path / "place"))
    made = s3(
        request.getfixturevalue("server"), tmp_path / "rclone.conf", f"backups-{os.getpid()}-{time.monotonic_ns()}"
    )
    bucket = made.remote.split("/")[0]
    made._do("make", ["mkdir", bucket])
    # rclone asks for what it wrote by its version, and without versions moto does not know the name that it gave it, 'null'.
    url = f"http://127.0.0.1:{request.getfixturevalue('server')}/{bucket.split(':')[1]}?versioning"
    text = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    urllib.request.urlopen(
        urllib.request.Request(url, text, {"Authorization": FOR_S3, "Content-Type": "application/xml"}, method="PUT"),
        timeout=30,
    ).close()
    return made


def kind(attempt) -> str:
    """The kind of failure of a place."""
    with pytest.raises(PlaceError) as told:
        attempt()
    assert "\n" not in str(told.value)
    return told.value.kind


def test_objects_come_and_go(place):
    assert place.list() == [] and place.list("shop") == []
    place.write("shop/a.json", b"one")
    place.write("shop/a.json", b"two")
    with place.put_stream("shop/x/b") as out:
        out.write(b"b" * 3_000_000)
    assert place.list("shop") == [Entry("shop/a.json", 3), Entry("shop/x/b", 3_000_000)]
    assert place.read("shop/a.json") == b"two"
    with place.get_stream("shop/x/b", 2_999_990) as source:
        assert source.read() == b"b" * 10
    assert kind(lambda: place.read("shop/none")) == MISSING
    place.delete(["shop/none", "shop/a.json"])
    assert place.list() == [Entry("shop/x/b", 3_000_000)]
    place.delete_below("shop")
    place.delete_below("shop")
    assert place.list() == []


def test_a_stream_that_fails_leaves_nothing(place):
    with pytest.raises(KeyError), place.put_stream("shop/b") as out:
        out.write(b"b" * 300_000)
        raise KeyError
    assert place.list() == []


def test_files_go_one_after_the_other_in_the_order_of_their_times(place, tmp_path):
    out = tmp_path / "out"
    (out / "logs").mkdir(parents=True)
    for number, name in enumerate(("z.blob", "a.json", "logs/y.blob", "logs/b.json")):
        (out / name).write_bytes(name.encode())
        os.utime(out / name, (1_700_000_000 + number, 1_700_000_000 + number))
    seen = []
    place._run = lambda command, **more: (
        seen.append(command)
        or subprocess.run(command, check=False, **{name: value for name, value in more.items() if name != "check"})
    )
    place.copy_in(str(out), "shop")
    assert {entry.path for entry in place.list("shop")} == {
        f"shop/{name}" for name in ("z.blob", "a.json", "logs/y.blob", "logs/b.json")
    }
    assert "modtime,ascending" in seen[0] and len([command for command in seen if command[1] == "copy"]) == 1
    place.copy_in(str(tmp_path / "none"), "shop")


def test_records_are_read_once(place, tmp_path):
    place.write("shop/timeline-0001/a.json", b"1")
    place.write("shop/timeline-0001/a.blob", b"1")
    place.write("shop/timeline-0001/logs/b.json", b"2")
    place.write("shop/hosts/c.json", b"3")
    kept = tmp_path / "cache"

    def there():
        return sorted(str(path.relative_to(kept)) for path in kept.rglob("*") if path.is_file())

    place.mirror("shop", str(kept))
    assert there() == ["timeline-0001/a.json", "timeline-0001/logs/b.json"]
    place.delete(["shop/timeline-0001/a.json"])
    place.mirror("shop", str(kept))
    assert there() == ["timeline-0001/logs/b.json"]
    place.delete_below("shop")
    place.mirror("shop", str(kept))


def test_what_a_place_cannot_be(tmp_path):
    place = Place(str(tmp_path))
    with pytest.raises(ValueError, match="no path"):
        place.read("../x")
    with pytest.raises(ValueError, match="as a whole"):
        place.delete_below("/")
    assert isinstance(place.free(), int)


def test_a_directory_that_is_not_there_is_not_made(tmp_path):
    place = Place(str(tmp_path / "place"))
    for attempt in (place.list, lambda: place.write("a", b""), lambda: place.copy_in(str(tmp_path), "x"), place.free):
        assert kind(attempt) == GONE
    assert not (tmp_path / "place").exists()
    # An empty directory, over which nothing is mounted, is not the place that was there.
    (tmp_path / "place").mkdir()
    place.mark = "shop/timeline-0001/timeline.json"
    assert kind(lambda: place.write("a", b"")) == GONE
    assert list((tmp_path / "place").iterdir()) == []


def test_a_storage_that_is_not_there_or_denies(tmp_path, request):
    (tmp_path / "rclone.conf").write_text(
        "[store]\ntype = s3\nprovider = Minio\nendpoint = http://127.0.0.1:9\naccess_key_id = x\nsecret_access_key = y\n"
    )
    assert kind(Place("store:bucket", str(tmp_path / "rclone.conf")).list) == GONE
    assert kind(Place("other:bucket", str(tmp_path / "rclone.conf")).list) == GONE
    port = request.getfixturevalue("server")
    assert kind(lambda: s3(port, tmp_path / "s3.conf", "none-of-this-name").read("x")) in (GONE, MISSING)


@pytest.mark.parametrize(
    ("code", "said", "found"),
    [
        (1, "write /x: no space left on device", FULL),
        (1, "InsufficientStorage: status code: 507", FULL),
        (1, "AccessDenied: status code: 403", DENIED),
        (1, "open /x: read-only file system", DENIED),
        (3, "whatever", MISSING),
        (1, "dial tcp: i/o timeout", SLOW),
        (1, "NoSuchBucket: not found", GONE),
        (1, "transport endpoint is not connected", GONE),
    ],
)
def test_kinds_of_failures(code, said, found):
    assert kind_of_failure(code, said) == found


def test_a_sentence_names_no_signature():
    text = (
        '2026/11/27 17:12:29 ERROR : one\n2026/11/27 17:12:30 Failed: Put "http://x/y?X-Amz-Signature=abc": refused\n'
    )
    assert sentence(text) == 'Failed: Put "http://x/y": refused'
    assert sentence("") == "rclone says nothing"


def test_a_place_that_does_not_answer_in_time(tmp_path, monkeypatch):
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "rclone").write_text("#!/bin/sh\nexec sleep 60\n")
    (slow / "rclone").chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow}:{os.environ['PATH']}")
    place = Place(str(tmp_path))
    with pytest.raises(PlaceError) as told:
        place._do("write x", ["cat", "x"], patience=0.2)
    assert told.value.kind == SLOW and "no answer within 0 s" in str(told.value)


def test_no_rclone(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    place = Place(str(tmp_path))
    assert kind(lambda: place.read("x")) == GONE
    with pytest.raises(PlaceError, match="cannot be started"), place.put_stream("x"):
        pass


def mounted(tmp_path, body):
    """Run a body, in which place is a directory of a disk of 8 MiB of its own, and what it prints."""
    if os.geteuid() or not shutil.which("unshare"):
        pytest.skip("needs root, for a disk of its own")
    (tmp_path / "disk").mkdir()
    script = tmp_path / "body.py"
    script.write_text(
        textwrap.dedent(f"""
        import sys, os, subprocess
        sys.path[:0] = {sys.path!r}
        sys.path.insert(0, {str(Path(__file__).resolve().parents[2])!r})
        import conftest
        from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.place import Place, PlaceError
        place = Place({str(tmp_path / "disk")!r})
        """)
        + textwrap.dedent(body)
    )
    mount = f"mount -t tmpfs -o size=8m tmpfs {tmp_path}/disk && exec {sys.executable} {script}"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount], capture_output=True, text=True, check=False, timeout=120
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("may not mount")
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("how", ["stream", "write", "copy"])
def test_a_disk_that_fills_up(tmp_path, how):
    body = f"""
    os.makedirs({str(tmp_path / "out")!r})
    open({str(tmp_path / "out" / "big")!r}, "wb").write(os.urandom(12 << 20))
    place.write("before", b"kept")
    try:
        if {how!r} == "stream":
            with place.put_stream("big") as out:
                for _block in range(12):
                    out.write(os.urandom(1 << 20))
        elif {how!r} == "write":
            place.write("big", os.urandom(12 << 20))
        else:
            place.copy_in({str(tmp_path / "out")!r}, "x")
    except PlaceError as error:
        print(error.kind)
    print(*[entry.path for entry in place.list() if entry.size])
    place.write("after", b"works")
    """
    assert mounted(tmp_path, body) == ["full", "before"]


def test_a_place_that_goes_while_it_is_written_to(tmp_path):
    body = """
    place.write("mark", b"")
    place.mark = "mark"
    try:
        with place.put_stream("big") as out:
            out.write(os.urandom(1 << 20))
            subprocess.run(["umount", "-l", place.remote], check=True)
            out.write(os.urandom(1 << 20))
    except PlaceError as error:
        print(error.kind)
    print(len(os.listdir(place.remote)))
    """
    assert mounted(tmp_path, body) == ["gone", "0"]


# -- envelopes -----------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module", name="identity")
def fixture_identity(tmp_path_factory):
    """A file with the identity, and its recipient."""
    kept = tmp_path_factory.mktemp("age") / "identity"
    subprocess.run(["age-keygen", "-o", kept], check=True, capture_output=True)
    return str(kept), subprocess.run(
        ["age-keygen", "-y", kept], check=True, capture_output=True, text=True
    ).stdout.strip()


DATA = b"row of data " * 100_000


@SEALS
@pytest.mark.parametrize("encrypted", [False, True])
def test_what_is_sealed_is_opened(tmp_path, identity, encrypted):
    file, recipient = identity
    sealer = Sealer([recipient] if encrypted else [], 3)
    assert sealer.ending == (".zst.age" if encrypted else ".zst")
    out = io.BytesIO()
    stored = sealer.seal(io.BytesIO(DATA), out)
    assert stored == (len(out.getvalue()), hashlib.sha256(out.getvalue()).hexdigest(), len(DATA))
    assert len(out.getvalue()) < len(DATA) / 10
    assert out.getvalue().startswith(b"age-encryption.org/v1") is encrypted
    (tmp_path / "stored").write_bytes(out.getvalue())
    with envelope.opened(str(tmp_path / "stored"), file, encrypted) as raw:
        assert raw.read() == DATA
    if encrypted:
        subprocess.run(["age-keygen", "-o", tmp_path / "other"], check=True, capture_output=True)
        with pytest.raises(EnvelopeError, match="no identity matched"), envelope.opened(
            str(tmp_path / "stored"), str(tmp_path / "other"), True
        ) as raw:
            raw.read()
        with pytest.raises(EnvelopeError, match="the identity that opens it is needed"), envelope.opened(
            str(tmp_path / "stored"), None, True
        ):
            pass


@SEALS
def test_what_cannot_be_sealed(tmp_path):
    with pytest.raises(EnvelopeError, match="age failed"):
        Sealer(["age1nonsense"], 3).seal(io.BytesIO(DATA), io.BytesIO())

    class Failing(io.BytesIO):
        def read(self, size=-1):
            raise OSError("the disk")

        def write(self, data):
            raise OSError("the disk")

    with pytest.raises(OSError, match="the disk"):
        Sealer([], 3).seal(Failing(), io.BytesIO())
    with pytest.raises(OSError, match="the disk"):
        Sealer([], 3).seal(io.BytesIO(DATA), Failing())
    (tmp_path / "cut").write_bytes(b"\x28\xb5\x2f\xfdnonsense")
    with pytest.raises(EnvelopeError, match="zstd failed"), envelope.opened(str(tmp_path / "cut"), None, False) as raw:
        raw.read()


@SEALS
def test_a_sealed_stream_into_a_place_that_is_full_is_the_places_failure(tmp_path):
    body = """
    from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.envelope import Sealer
    try:
        with place.put_stream("big") as out, open("/dev/urandom", "rb") as source:
            Sealer([], 1).seal(source, out)
    except PlaceError as error:
        print(error.kind)
    print(len(place.list()))
    """
    assert mounted(tmp_path, body) == ["full", "0"]


def test_a_fetch_is_taken_up_and_never_trusted(place, tmp_path):
    data = os.urandom(2_000_000)
    with place.put_stream("x") as out:
        out.write(data)
    right = hashlib.sha256(data).hexdigest()
    target = tmp_path / "x"
    part = tmp_path / "x.part"
    for have in (b"", data[:1_000_000], data, data + b"more"):
        part.write_bytes(have)
        envelope.fetch(place, "x", str(target), len(data), right)
        assert target.read_bytes() == data and not part.exists()
        target.unlink()
    part.write_bytes(b"y" * 1_000_000)
    with pytest.raises(EnvelopeError, match="x: damaged: its SHA-256 is not what its record says"):
        envelope.fetch(place, "x", str(target), len(data), right)
    assert not part.exists() and not target.exists()
    with pytest.raises(PlaceError, match="2000000 of 2000001 bytes"):
        envelope.fetch(place, "x", str(target), len(data) + 1, right)
    part.unlink()
    target.write_bytes(data)
    place.delete(["x"])
    envelope.fetch(place, "x", str(target), len(data), right)
    target.write_bytes(data[::-1])
    assert kind(lambda: envelope.fetch(place, "x", str(target), len(data), right)) == MISSING
