"""A hospital's own model is a folder: every kind of file answers as the network itself does."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
from model_folders import CLASS_ACTIVATION, EFFUSION, FILM, GRAD_CAM, finding, write_card

from inference.errors import InvalidCardError, ModelError
from inference.models import KINDS, load_any, load_model
from inference.models.check import faults_of_folder

torch = pytest.importorskip("torch")
from safetensors.torch import save_file  # noqa: E402 - only with torch
from torch import nn  # noqa: E402
from torchvision.models import densenet121, googlenet, resnet18  # noqa: E402

FILMS = np.random.default_rng(7).normal(size=(3, 3, 64, 64)).astype(np.float32)
TWO = [finding(), finding("effusion", EFFUSION)]


class Pooled(nn.Module):
    """Convolutions, their mean, and a linear head."""

    def __init__(self, outputs: int = 2, channels: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(channels, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
                                  nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU())  # fmt: skip
        self.head = nn.Linear(16, outputs)

    def forward(self, films):
        return self.head(self.body(films).mean((2, 3)))


class Deep(Pooled):
    """The same with a head of two layers, whose map is not linear."""

    def __init__(self, outputs: int = 2) -> None:
        super().__init__(outputs)
        self.head = nn.Sequential(nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, outputs))


class Explained(Pooled):
    """The same, and gives its own maps and embedding."""

    def forward(self, films):
        features = self.body(films)
        maps = torch.einsum("bchw,kc->bkhw", features, self.head.weight)
        return self.head(features.mean((2, 3))), maps, features.mean((2, 3))


def reference(module: nn.Module, films: np.ndarray = FILMS) -> np.ndarray:
    with torch.no_grad():
        return module.eval()(torch.from_numpy(films)).numpy()


def exported(module: nn.Module, path: Path, batch: int | None = None) -> Path:
    shapes = None if batch else ({0: torch.export.Dim("films", min=1)},)
    program = torch.export.export(module.eval(), (torch.zeros(batch or 2, 3, 64, 64),), dynamic_shapes=shapes)
    torch.export.save(program, path)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_network_has_what_the_port_demands(kind: str) -> None:
    made = get_type_hints(import_module(KINDS[kind]).network)["return"]

    assert [] == [name for name in ("grid", "outputs", "run") if not hasattr(made, name)]


@pytest.mark.parametrize("batch", [None, 1, 2])
def test_an_exported_program_answers_as_the_network(tmp_path: Path, batch: int | None) -> None:
    module = Pooled()
    exported(module, tmp_path / "m.pt2", batch)

    model = load_model(write_card(tmp_path, "m.pt2", "torch-export", TWO))

    assert pytest.approx(reference(module), abs=1e-5) == model.network.run(FILMS).logits


def test_torchscript_answers_as_the_network(tmp_path: Path) -> None:
    module = Explained().eval()
    torch.jit.trace(module, torch.from_numpy(FILMS)).save(tmp_path / "m.pt")

    model = load_model(write_card(tmp_path, "m.pt", "torchscript", TWO, explanation=CLASS_ACTIVATION))

    given = model.network.run(FILMS)
    assert pytest.approx(reference(Pooled().eval()), abs=1e-5) == given.logits
    assert pytest.approx(given.logits - module.head.bias.detach().numpy(), abs=1e-5) == given.cams.mean((2, 3))


class Deciding(Pooled):
    """Gives the finding that it decides for, not what speaks for each."""

    def forward(self, films):
        return super().forward(films).argmax(1)


@pytest.mark.parametrize("kind", ["torch-export", "torchscript"])
def test_decisions_of_a_program_are_no_logits(tmp_path: Path, kind: str) -> None:
    if kind == "torch-export":
        exported(Deciding(), tmp_path / "m.pt")
    else:
        torch.jit.trace(Deciding().eval(), torch.from_numpy(FILMS)).save(tmp_path / "m.pt")

    with pytest.raises(ModelError, match=r"m\.pt: .*logits: torch\.int64; the rule is a floating point"):
        load_model(write_card(tmp_path, "m.pt", kind, [finding()]))


@pytest.mark.parametrize("name", ["m.safetensors", "m.pth"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_state_dictionary_answers_as_the_network(tmp_path: Path, name: str, channels: int) -> None:
    module = resnet18(num_classes=2)
    module.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
    weights = module.state_dict()
    if name.endswith("pth"):
        nested = {f"module.{key}": value for key, value in weights.items()}
        torch.save({"state_dict": nested, "epoch": 3}, tmp_path / name)
    else:
        save_file(weights, tmp_path / name)
    taken = {**FILM, "channels": channels, "mean": 0.5, "deviation": 0.5}
    films = np.ascontiguousarray(FILMS[:, :channels])

    folder = write_card(tmp_path, name, "state-dict", TWO, taken, {"architecture": "resnet18"},
                        explanation=CLASS_ACTIVATION)  # fmt: skip
    given = load_model(folder).network.run(films)

    assert pytest.approx(reference(module, films), abs=1e-4) == given.logits
    assert pytest.approx(given.logits - module.fc.bias.detach().numpy(), abs=1e-4) == given.cams.mean((2, 3))


def test_onnx_from_elsewhere_answers_under_its_own_names(tmp_path: Path) -> None:
    module = Pooled()
    torch.onnx.export(module.eval(), (torch.zeros(2, 3, 64, 64),), tmp_path / "m.onnx", input_names=["pixel_values"],
                      output_names=["prob"], dynamo=True, verbose=False, external_data=False,
                      dynamic_shapes=({0: torch.export.Dim("films", min=1)},))  # fmt: skip
    names = {"names": {"films": "pixel_values", "logits": "prob"}}

    model = load_model(write_card(tmp_path, "m.onnx", "onnx", TWO, weights=names))

    assert pytest.approx(reference(module), abs=1e-4) == model.network.run(FILMS).logits
    with pytest.raises(InvalidCardError, match=r"pixel_values to prob; the rule is films to logits"):
        load_model(write_card(tmp_path, "m.onnx", "onnx", TWO))


class Doubled(Pooled):
    """Answers each film twice."""

    def forward(self, films: torch.Tensor) -> torch.Tensor:
        return super().forward(films).repeat(2, 1)


def test_a_graph_that_answers_more_films_than_it_was_asked_is_refused(tmp_path: Path) -> None:
    torch.onnx.export(Doubled().eval(), (torch.zeros(2, 3, 64, 64),), tmp_path / "m.onnx", input_names=["films"],
                      output_names=["logits"], dynamo=True, verbose=False, external_data=False,
                      dynamic_shapes=({0: torch.export.Dim("films", min=1)},))  # fmt: skip

    with pytest.raises(ModelError, match=r"m.onnx: logits of shape \(2, 2\) for 1 films"):
        load_model(write_card(tmp_path, "m.onnx", "onnx", TWO))


@pytest.mark.parametrize("explanation", [CLASS_ACTIVATION, GRAD_CAM], ids=["exact", "gradients"])
def test_where_the_head_is_linear_both_methods_give_one_map(tmp_path: Path, explanation: dict) -> None:
    module = Pooled()
    exported(module, tmp_path / "m.pt2")

    given = load_model(write_card(tmp_path, "m.pt2", "torch-export", TWO, explanation=explanation)).network.run(FILMS)

    with torch.no_grad():
        features = module.body(torch.from_numpy(FILMS))
        expected = torch.einsum("bchw,kc->bkhw", features, module.head.weight).numpy()
    assert pytest.approx(expected, abs=1e-4) == given.cams
    assert pytest.approx(features.mean((2, 3)).numpy(), abs=1e-5) == given.embedding


def test_grad_cam_follows_a_head_that_is_not_linear(tmp_path: Path) -> None:
    module = Deep()
    exported(module, tmp_path / "m.pt2")
    given = load_model(write_card(tmp_path, "m.pt2", "torch-export", TWO, explanation=GRAD_CAM)).network.run(FILMS)

    features = module.body(torch.from_numpy(FILMS)).detach().requires_grad_()
    module.head(features.mean((2, 3)))[:, 1].sum().backward()
    expected = (features * features.grad.sum((2, 3), keepdim=True)).sum(1).detach().numpy()
    assert pytest.approx(expected, abs=1e-4) == given.cams[:, 1]
    with pytest.raises(InvalidCardError, match="class-activation needs a head that is linear"):
        load_model(write_card(tmp_path, "m.pt2", "torch-export", TWO, explanation=CLASS_ACTIVATION))


def test_a_card_may_use_some_of_the_outputs(tmp_path: Path) -> None:
    module = Pooled(outputs=5)
    exported(module, tmp_path / "m.pt2")
    chosen = [finding(index=4), finding("effusion", EFFUSION, index=1)]

    folder = write_card(tmp_path, "m.pt2", "torch-export", chosen, output={"count": 5}, explanation=CLASS_ACTIVATION)
    model = load_model(folder)

    logits = reference(module)
    expected = 1 / (1 + np.exp(-logits[:, [4, 1]]))
    assert pytest.approx(expected, abs=1e-5) == model.scoring.scores(logits)
    assert pytest.approx(model.network.run(FILMS).cams[0][[4, 1]]) == model._maps_of_findings(
        model.network.run(FILMS).cams[0]
    )


def xray_film(side: int = 64) -> dict[str, object]:
    kept = {key: value for key, value in FILM.items() if key not in ("mean", "deviation")}
    return {**kept, "side": side, "channels": 1, "range": [-1024.0, 1024.0]}


def test_a_densenet_of_torchxrayvision_is_read_by_its_file(tmp_path: Path) -> None:
    torch.manual_seed(1)
    module = densenet121(num_classes=18)
    module.features.conv0 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    point = 0.056810737  # of pneumonia, in the weights "all"
    points = torch.full((18,), float("nan"))
    points[8] = point
    torch.save({**module.state_dict(), "op_threshs": points}, tmp_path / "xrv.pt")
    given = [finding(index=8, operating_point=0.056810737)]

    model = load_model(
        write_card(tmp_path, "xrv.pt", "torchxrayvision", given, xray_film(), explanation=CLASS_ACTIVATION)
    )
    films = np.random.default_rng(1).uniform(-1024, 1024, (2, 1, 64, 64)).astype(np.float32)
    said = model.network.run(films)

    plain = 1 / (1 + np.exp(-reference(module, films)[:, 8:9]))
    # op_norm of torchxrayvision
    expected = np.where(plain < point, plain / (2 * point), 1 - (1 - plain) / (2 * (1 - point)))
    assert pytest.approx(expected, abs=1e-4) == model.scoring.scores(said.logits)
    assert said.cams.shape[:2] == (2, 18)

    wrong = [finding(index=8)]
    with pytest.raises(InvalidCardError, match=r"operating_point: None; op_threshs of the file is 0\.0568.*"):
        load_model(write_card(tmp_path, "xrv.pt", "torchxrayvision", wrong, xray_film()))


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("torch-export", "m.pt2", "no program of torch.export"),
        ("torchscript", "m.pt", "no TorchScript"),
        ("state-dict", "m.safetensors", "no file of weights"),
        ("state-dict", "m.pth", "m.pth: (damaged|no file of weights)"),
        ("onnx", "m.onnx", "no ONNX: damaged, or another format"),
    ],
)
def test_truncated_weights_are_named(tmp_path: Path, kind: str, name: str, said: str) -> None:
    module = Pooled().eval()
    if kind == "torch-export":
        exported(module, tmp_path / name)
    elif kind == "torchscript":
        torch.jit.trace(module, torch.from_numpy(FILMS)).save(tmp_path / name)
    elif name == "m.safetensors":
        save_file(module.state_dict(), tmp_path / name)
    else:
        torch.save(module.state_dict(), tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])

    with pytest.raises(ModelError, match=said):
        load_model(
            write_card(tmp_path, name, kind, TWO, weights={"architecture": "resnet18"} if "state" in kind else {})
        )


def test_a_pickle_of_more_than_tensors_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "run",))

    torch.save({"state_dict": Trap()}, tmp_path / "m.pth")
    folder = write_card(tmp_path, "m.pth", "state-dict", weights={"architecture": "resnet18"})

    with pytest.raises(ModelError, match="holds more than tensors"):
        load_model(folder)

    assert not (tmp_path / "run").exists()


def test_a_program_exported_in_training_is_refused(tmp_path: Path) -> None:
    program = torch.export.export(Pooled().train(), (torch.zeros(2, 3, 64, 64),))
    torch.export.save(program, tmp_path / "m.pt2")

    with pytest.raises(InvalidCardError, match="exported while in training"):
        load_model(write_card(tmp_path, "m.pt2", "torch-export", TWO))


@pytest.mark.parametrize(("least", "most"), [(2, 5), (1, 3)])
def test_a_program_for_few_films_reads_any_number(tmp_path: Path, least: int, most: int) -> None:
    films = torch.export.Dim("films", min=least, max=most)
    program = torch.export.export(Pooled().eval(), (torch.zeros(3, 3, 64, 64),), dynamic_shapes=({0: films},))
    torch.export.save(program, tmp_path / "m.pt2")
    network = load_model(write_card(tmp_path, "m.pt2", "torch-export", TWO)).network
    many = np.random.default_rng(8).normal(size=(2 * most + 1, 3, 64, 64)).astype(np.float32)

    assert pytest.approx(reference(Pooled(), many), abs=1e-5) == network.run(many).logits


def test_a_failure_while_running_is_one_clear_error(tmp_path: Path) -> None:
    class Failing(nn.Module):
        def forward(self, films):
            if bool(films.max() > 5):
                raise RuntimeError("the driver is gone")
            return films.mean((1, 2, 3)).unsqueeze(1)

    torch.jit.script(Failing()).save(tmp_path / "m.pt")
    model = load_any(write_card(tmp_path, "m.pt", "torchscript"))

    with pytest.raises(ModelError, match=r"m\.pt: torch failed on cpu: .*the driver is gone"):
        model.network.run(np.full((1, 3, 64, 64), 9, np.float32))


@pytest.mark.parametrize(
    ("architecture", "purpose"),
    [
        ("fasterrcnn_resnet50_fpn", "detection"),
        ("deeplabv3_resnet50", "segmentation"),
        ("raft_large", "optical flow"),
        ("quantized_resnet18", "quantization"),
    ],
)
def test_an_architecture_that_does_not_classify_is_refused_and_nothing_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architecture: str, purpose: str
) -> None:
    def fetched(*_: object, **__: object) -> None:
        raise AssertionError("weights are fetched")

    monkeypatch.setattr("torch.hub.download_url_to_file", fetched)
    torch.save(resnet18(num_classes=1).state_dict(), tmp_path / "m.pth")
    folder = write_card(tmp_path, "m.pth", "state-dict", weights={"architecture": architecture})

    with pytest.raises(InvalidCardError, match=f"'{architecture}' is one for {purpose}; the rule is"):
        load_model(folder)


def test_weights_of_another_architecture_are_told_by_counts_and_whole_names(tmp_path: Path) -> None:
    weights = resnet18(num_classes=2).state_dict()
    weights["layer1.0.conv1.weight"] = torch.zeros(64, 64, 1, 1)
    weights |= {f"extra.{number}": torch.zeros(1) for number in range(5)}
    for name in ("layer4.1.bn2.weight", "layer4.1.bn2.running_var"):
        del weights[name]
    torch.save(weights, tmp_path / "m.pth")

    (fault,) = faults_of_folder(
        write_card(tmp_path, "m.pth", "state-dict", TWO, weights={"architecture": "resnet18"}),
    )

    assert fault.endswith(
        "weights.architecture: resnet18 differs from m.pth: 2 tensors missing (layer4.1.bn2.weight, "
        "layer4.1.bn2.running_var); 5 too many (extra.0, extra.1, extra.2, …); 1 of another shape "
        "(layer1.0.conv1.weight: 64 × 64 × 1 × 1, not 64 × 64 × 3 × 3)"
    )


def test_levels_that_inception_changes_itself_are_given_by_the_card(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        trained = googlenet(num_classes=2, transform_input=True, init_weights=False).eval()
    torch.save(trained.state_dict(), tmp_path / "m.pth")
    taken = {**FILM, "mean": 0.5, "deviation": 0.5}
    model = load_model(write_card(tmp_path, "m.pth", "state-dict", TWO, taken, weights={"architecture": "googlenet"}))
    levels = np.random.default_rng(3).random((2, 3, 64, 64), np.float32)
    mean, deviation = (np.array(FILM[key], np.float32).reshape(3, 1, 1) for key in ("mean", "deviation"))

    expected = reference(trained, (levels - mean) / deviation)

    assert pytest.approx(expected, abs=1e-4) == model.network.run((levels - 0.5) / 0.5).logits
