"""Networks that are not shipped with mrs but fetched by `mrs models get`: where from, under which terms.

OpenMMLab publishes no checksum of its archives, and none could be had from where this list was written, so `sha256` is
None: the digest of the first download is printed and kept, and every later one has to equal it. torchvision's names hold how a
file's sha256 begins. Nor is the size of OpenMMLab's archives published: `megabytes` is four bytes for each of the parameters
that mmpose's tables tell of a network.
"""

from __future__ import annotations

from dataclasses import dataclass

_BODY = "https://download.openmmlab.com/mmpose/v1/projects/rtmposev1/onnx_sdk/"
_RTMO = "https://download.openmmlab.com/mmpose/v1/projects/rtmo/onnx_sdk/"
_RTMW = "https://download.openmmlab.com/mmpose/v1/projects/rtmw/onnx_sdk/"
_TORCH = "https://download.pytorch.org/models/"
_TORCH_LICENCE = "BSD-3-Clause (torchvision); trained on ImageNet, which keeps its own terms"
_LICENCE = "Apache-2.0 (OpenMMLab mmpose); the training sets keep their own terms"


@dataclass(frozen=True)
class Model:
    """One network: an archive at `url` with one .onnx file in it, or the file itself.

    A file of another `suffix` is kept as it comes; `megabytes` is about its size; `sha256_begins` what its makers tell of its
    checksum; `setting` where its name is said.
    """

    name: str
    url: str
    about: str
    licence: str = _LICENCE
    sha256: str | None = None
    megabytes: float | None = None
    suffix: str = ".onnx"
    sha256_begins: str = ""
    setting: str = "--detector rtmpose --set detector.model={name}"


@dataclass(frozen=True)
class Gated:
    """Files that nobody may hand on: whoever wants them asks their makers, and names their folder in `setting`."""

    name: str
    about: str
    url: str
    files: tuple[str, ...]
    licence: str
    setting: str = "MRS_SMPL_DIR"


GATED = (
    Gated("smpl", "SMPL's bodies, 6,890 vertices", "https://smpl.is.tue.mpg.de/",
          ("SMPL_NEUTRAL.pkl", "SMPL_MALE.pkl", "SMPL_FEMALE.pkl"), "not for commercial use; register at the address, see its licence page"),
    Gated("smplh", "SMPL-H's bodies, with hands", "https://mano.is.tue.mpg.de/", ("SMPLH_NEUTRAL.npz", "SMPLH_MALE.npz", "SMPLH_FEMALE.npz"),
          "not for commercial use; register at the address, see its licence page"),
    Gated("smplx", "SMPL-X's bodies, with hands and face, 10,475 vertices", "https://smpl-x.is.tue.mpg.de/",
          ("SMPLX_NEUTRAL.npz", "SMPLX_MALE.npz", "SMPLX_FEMALE.npz"), "not for commercial use; register at the address, see its licence page"),
)
CATALOGUE = {model.name: model for model in (
    Model("rtmpose-s", _BODY + "rtmpose-s_simcc-body7_pt-body7-halpe26_700e-256x192-7f134165_20230605.zip",
          "RTMPose-s, Halpe-26 (with feet), 192x256", megabytes=23),
    Model("rtmpose-m", _BODY + "rtmpose-m_simcc-body7_pt-body7-halpe26_700e-256x192-4d3e73dd_20230605.zip",
          "RTMPose-m, Halpe-26 (with feet), 192x256", megabytes=56),
    Model("rtmpose-x", _BODY + "rtmpose-x_simcc-body7_pt-body7-halpe26_700e-384x288-7fb6e239_20230606.zip",
          "RTMPose-x, Halpe-26 (with feet), 288x384", megabytes=200),
    Model("rtmpose-s-coco", _BODY + "rtmpose-s_simcc-body7_pt-body7_420e-256x192-acd4a1ef_20230504.zip",
          "RTMPose-s, COCO-17, 192x256", megabytes=22),
    Model("rtmpose-m-coco", _BODY + "rtmpose-m_simcc-body7_pt-body7_420e-256x192-e48f03d0_20230504.zip",
          "RTMPose-m, COCO-17, 192x256", megabytes=54),
    Model("rtmw-m", _RTMW + "rtmw-dw-l-m_simcc-cocktail14_270e-256x192_20231122.zip",
          "RTMW-m, COCO-WholeBody-133 (with face and hands), 192x256"),
    Model("rtmo-s", _RTMO + "rtmo-s_8xb32-600e_body7-640x640-dac2bf74_20231211.zip", "RTMO-s, COCO-17, one stage, 640x640"),
    Model("rtmo-m", _RTMO + "rtmo-m_16xb16-600e_body7-640x640-39e78cc4_20231211.zip", "RTMO-m, COCO-17, one stage, 640x640"),
    Model("vgg19", _TORCH + "vgg19-dcbb9e9d.pth", "VGG19 for the published perceptual loss", _TORCH_LICENCE, megabytes=548, suffix=".pth",
          sha256_begins="dcbb9e9d", setting="mrs train shape-pose --vgg {name}"),
    Model("alexnet", _TORCH + "alexnet-owt-7be5be79.pth", "AlexNet for LPIPS", _TORCH_LICENCE, megabytes=233, suffix=".pth", sha256_begins="7be5be79",
          setting="mrs eval shape-pose --lpips-alexnet {name} --lpips-linear lpips-alex"),
    Model("lpips-alex", "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/alex.pth",
          "linear layers of LPIPS 0.1 on AlexNet", "BSD-2-Clause (package lpips)", megabytes=0.006, suffix=".pth",
          setting="mrs eval shape-pose --lpips-alexnet alexnet --lpips-linear {name}"),
    Model("inception-fid", "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/inception-2015-12-05.pt",
          "Inception-v3 for FID by clean-fid's convention, TorchScript", "Apache-2.0 (TensorFlow's weights, packed by NVIDIA)", megabytes=95,
          suffix=".pt",
          setting="mrs eval shape-pose --inception {name}"),
)}
