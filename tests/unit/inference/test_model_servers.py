"""A model on a server is asked over KServe v2, and its absence is one clear error."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from model_folders import CLASS_ACTIVATION, EFFUSION, finding, write_card

from inference.errors import InvalidCardError, ModelError
from inference.models import load_model

pytest.importorskip("tritonclient.http")

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
    return {"logits": maps.mean((2, 3)), "cams": maps}


class Speaker(BaseHTTPRequestHandler):
    """The part of the protocol that a client of one model uses, with binary tensors."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.reply(200 if self.path == "/v2/models/chest" else 404, json.dumps(DESCRIBED).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        length = int(self.headers["Inference-Header-Content-Length"])
        asked = json.loads(body[:length])
        films = np.frombuffer(body[length:], "<f4").reshape(asked["inputs"][0]["shape"])
        given = answered(films)
        wanted = [given[each["name"]].astype("<f4") for each in asked["outputs"]]
        header = json.dumps({"model_name": "chest", "model_version": "1", "outputs": [
            {"name": each["name"], "datatype": "FP32", "shape": list(value.shape),
             "parameters": {"binary_data_size": value.nbytes}}
            for each, value in zip(asked["outputs"], wanted, strict=True)]}).encode()  # fmt: skip
        self.reply(200, header + b"".join(each.tobytes() for each in wanted), len(header))

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
def server() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Speaker)
    server.daemon_threads = True
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


def test_a_server_answers_as_its_network(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    model = load_model(folder_of(tmp_path, server.server_port))

    given = model.network.run(FILMS)

    assert pytest.approx(answered(FILMS)["logits"], abs=1e-5) == given.logits
    assert pytest.approx(answered(FILMS)["cams"], abs=1e-5) == given.cams


def test_threads_ask_at_once(server: ThreadingHTTPServer, tmp_path: Path) -> None:
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
    gone = ThreadingHTTPServer(("127.0.0.1", 0), Speaker)
    gone.server_close()

    with pytest.raises(ModelError, match=rf"chest on 127\.0\.0\.1:{gone.server_port}: no answer"):
        load_model(folder_of(tmp_path, gone.server_port))


def test_a_model_that_the_server_has_not_is_named(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="skull on"):
        load_model(folder_of(tmp_path, server.server_port, "skull"))


def test_faults_of_the_server_file_come_together(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 99999)
    text = (folder / "server.toml").read_text(encoding="utf-8").replace("model =", "modle =")
    (folder / "server.toml").write_text(text, encoding="utf-8")

    with pytest.raises(InvalidCardError, match=r"(?s)(?=.*port)(?=.*modle)(?=.*model: this key is required)"):
        load_model(write_card(folder, "server.toml", "triton"))
