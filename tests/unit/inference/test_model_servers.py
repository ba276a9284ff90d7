"""A model on a server is asked over KServe v2, and its absence is one clear error."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_folders import CLASS_ACTIVATION, EFFUSION, finding, write_card
from typer.testing import CliRunner

from inference.cli import app
from inference.errors import InvalidCardError, ModelError
from inference.models import load_model

pytest.importorskip("tritonclient.http")
from tritonclient.utils import np_to_triton_dtype

WEIGHTS = np.random.default_rng(5).normal(size=(2, 3)).astype(np.float32)
FILMS = np.random.default_rng(6).normal(size=(4, 3, 64, 64)).astype(np.float32)
DESCRIBED = {
    "name": "chest", "versions": ["1"], "platform": "onnxruntime_onnx",
    "inputs": [{"name": "films", "datatype": "FP32", "shape": [-1, 3, 64, 64]}],
    "outputs": [{"name": name, "datatype": "FP32", "shape": shape} for name, shape in
                (("logits", [-1, 2]), ("cams", [-1, 2, 64, 64]))],
}  # fmt: skip


def answered(films: np.ndarray) -> dict[str, np.ndarray]:
    maps = np.einsum("bchw,kc->bkhw", films, WEIGHTS)
    return {"logits": maps.mean((2, 3)).astype("<f4"), "cams": maps.astype("<f4")}


class Server(ThreadingHTTPServer):
    """A server that says of its model, and answers, what a test wants."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Speaker)
        self.described: Any = DESCRIBED
        self.given: Callable[[np.ndarray], dict[str, np.ndarray]] = answered
        self.shapes: dict[str, list[int]] = {}  # said of an output in place of its own


class Speaker(BaseHTTPRequestHandler):
    """The part of the protocol that a client of one model uses, with binary tensors."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.reply(200 if self.path == "/v2/models/chest" else 404, json.dumps(self.server.described).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        length = int(self.headers["Inference-Header-Content-Length"])
        asked = json.loads(body[:length])
        films = np.frombuffer(body[length:], "<f4").reshape(asked["inputs"][0]["shape"])
        given = self.server.given(films)
        wanted = {each["name"]: given[each["name"]] for each in asked["outputs"] if each["name"] in given}
        header = json.dumps({"model_name": "chest", "model_version": "1", "outputs": [
            {"name": name, "datatype": np_to_triton_dtype(value.dtype),
             "shape": self.server.shapes.get(name, list(value.shape)), "parameters": {"binary_data_size": value.nbytes}}
            for name, value in wanted.items()]}).encode()  # fmt: skip
        self.reply(200, header + b"".join(each.tobytes() for each in wanted.values()), len(header))

    def reply(self, status: int, body: bytes, header: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if header is not None:
            self.send_header("Inference-Header-Content-Length", str(header))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def folder_of(tmp_path: Path, port: int, model: str = "chest") -> Path:
    (tmp_path / "server.toml").write_text(
        f'host = "127.0.0.1"\nport = {port}\nmodel = "{model}"\ntimeout_s = 5\n', encoding="utf-8"
    )
    findings = [finding(), finding("effusion", EFFUSION)]
    return write_card(tmp_path, "server.toml", "triton", findings, explanation=CLASS_ACTIVATION)


def test_a_server_answers_as_its_network(server: Server, tmp_path: Path) -> None:
    model = load_model(folder_of(tmp_path, server.server_port))

    given = model.network.run(FILMS)

    assert pytest.approx(answered(FILMS)["logits"], abs=1e-5) == given.logits
    assert pytest.approx(answered(FILMS)["cams"], abs=1e-5) == given.cams


def test_threads_ask_at_once(server: Server, tmp_path: Path) -> None:
    model = load_model(folder_of(tmp_path, server.server_port))
    answers: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: answers.append(model.network.run(FILMS).logits)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(answers) == 4
    assert all((each == answers[0]).all() for each in answers)


def test_a_server_that_is_gone_is_named(tmp_path: Path) -> None:
    gone = Server()
    gone.server_close()

    with pytest.raises(ModelError, match=rf"chest on 127\.0\.0\.1:{gone.server_port}: no answer"):
        load_model(folder_of(tmp_path, gone.server_port))


def test_a_model_that_the_server_has_not_is_named(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="skull on"):
        load_model(folder_of(tmp_path, server.server_port, "skull"))


def test_faults_of_the_server_file_come_together(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 99999)
    text = (folder / "server.toml").read_text(encoding="utf-8").replace("model =", "modle =")
    (folder / "server.toml").write_text(text, encoding="utf-8")

    with pytest.raises(InvalidCardError, match=r"(?s)(?=.*port)(?=.*modle)(?=.*model: this key is required)"):
        load_model(write_card(folder, "server.toml", "triton"))


def described(key: str, **changes: object) -> dict[str, Any]:
    """What the server says where its first input or output is another."""
    first, *others = DESCRIBED[key]
    changed = {name: value for name, value in {**first, **changes}.items() if value is not None}
    return {**DESCRIBED, key: [changed, *others]}


def without(name: str, films: np.ndarray) -> dict[str, np.ndarray]:
    return {key: value for key, value in answered(films).items() if key != name}


PLACE = r"chest on 127\.0\.0\.1:\d+: "
ODD_SERVERS: list[tuple[dict[str, Any], str]] = [
    ({"described": {}}, "metadata: inputs: this key is required; outputs: this key is required"),
    ({"described": [1]}, "metadata: inputs: this key is required; outputs: this key is required"),
    ({"described": {**DESCRIBED, "inputs": 3}}, "metadata: inputs: 3: Input should be a valid tuple"),
    ({"described": described("inputs", shape=None)}, r"metadata: inputs\.0\.shape: this key is required"),
    ({"described": described("outputs", shape=["x", 2])}, r"metadata: outputs\.0\.shape\.0: 'x': "),
    ({"described": described("outputs", name=None)}, r"metadata: outputs\.0\.name: this key is required"),
    ({"described": described("inputs", datatype="FP16")}, "films: FP16; films are sent as FP32"),
    ({"described": described("outputs", datatype="INT64")}, "logits: INT64; the rule is FP16, BF16, FP32, FP64"),
    ({"described": described("outputs", shape=[-1, 2, 1])}, r"logits: shape \[1, 2\] in the reply; .*\[-1, 2, 1\]"),
    ({"given": lambda films: without("logits", films)}, "logits: not in the reply; the server describes it"),
    ({"given": lambda films: without("cams", films)}, "cams: not in the reply; the server describes it"),
    ({"shapes": {"logits": [1, 7]}}, "logits: the reply cannot be read: cannot reshape"),
    (
        {"given": lambda films: {**answered(films), "logits": np.ones((len(films), 2), np.int64)}},
        "logits: the reply gives int64, which tells no score",
    ),
    (
        {"given": lambda films: {key: np.concatenate([each, each]) for key, each in answered(films).items()}},
        r"logits of shape \(2, 2\) for 1 films; the rule is \(films, outputs\)",
    ),
]


@pytest.mark.parametrize(("odd", "said"), ODD_SERVERS)
def test_an_odd_server_is_one_clear_fault(server: Server, tmp_path: Path, odd: dict[str, Any], said: str) -> None:
    vars(server).update(odd)
    folder = folder_of(tmp_path, server.server_port)

    told = CliRunner().invoke(app, ["check", str(folder)])

    (fault,) = told.stdout.splitlines()
    assert re.search(PLACE + said, fault)
    assert 1 == told.exit_code
    with pytest.raises(ModelError, match=PLACE + said):
        load_model(folder)


@pytest.mark.parametrize(
    ("later", "said"),
    [
        (lambda logits: np.repeat(logits, 2, axis=1), r"logits: shape \[4\] of a film; the first reply gave \[2\]"),
        (lambda logits: logits[:, :1], r"logits: shape \[1\] of a film; the first reply gave \[2\]"),
        (lambda logits: np.repeat(logits, 2, axis=0), r"logits of shape \(8, 2\) for 4 films"),
        (lambda logits: logits[:1], r"logits of shape \(1, 2\) for 4 films"),
    ],
)
def test_a_server_that_changes_its_outputs_in_service_is_one_clear_error(
    server: Server, tmp_path: Path, later: Callable[[np.ndarray], np.ndarray], said: str
) -> None:
    server.described = described("outputs", shape=[-1, -1])
    model = load_model(folder_of(tmp_path, server.server_port))
    server.given = lambda films: {**answered(films), "logits": later(answered(films)["logits"])}

    with pytest.raises(ModelError, match=PLACE + said):
        model.network.run(FILMS)
