"""Citations, terms of use and addresses of the forms of ShapeNet."""

from __future__ import annotations

LICENSE = (
    "The shapes are ShapeNet's, whose terms (https://shapenet.org/terms) allow "
    "research and education that is not commercial, and forbid to pass the data on. "
    "The single models have licences of their own."
)
"""Terms of all forms, as far as they are known here: read the original."""

_SHAPENET = """\
@techreport{chang2015shapenet,
  title = {{ShapeNet}: An Information-Rich {3D} Model Repository},
  author = {Chang, Angel X. and Funkhouser, Thomas and Guibas, Leonidas and
    Hanrahan, Pat and Huang, Qixing and Li, Zimo and Savarese, Silvio and
    Savva, Manolis and Song, Shuran and Su, Hao and Xiao, Jianxiong and Yi, Li and
    Yu, Fisher},
  number = {arXiv:1512.03012 [cs.GR]},
  year = {2015}
}
"""

_NMR = """\
@inproceedings{kato2018renderer,
  title = {Neural {3D} Mesh Renderer},
  author = {Kato, Hiroharu and Ushiku, Yoshitaka and Harada, Tatsuya},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition (CVPR)},
  year = {2018}
}
"""

_SOFTRAS = """\
@inproceedings{liu2019softras,
  title = {Soft Rasterizer: A Differentiable Renderer for Image-based {3D} Reasoning},
  author = {Liu, Shichen and Li, Tianye and Chen, Weikai and Li, Hao},
  booktitle = {IEEE International Conference on Computer Vision (ICCV)},
  year = {2019}
}
"""

_DVR = """\
@inproceedings{niemeyer2020differentiable,
  title = {Differentiable Volumetric Rendering: Learning Implicit {3D}
    Representations without {3D} Supervision},
  author = {Niemeyer, Michael and Mescheder, Lars and Oechsle, Michael and
    Geiger, Andreas},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition (CVPR)},
  year = {2020}
}
"""

SOFTRAS_CITATION = "\n".join([_SHAPENET, _NMR, _SOFTRAS])
"""BibTeX of the archive of Soft Rasterizer."""

RENDERINGS_CITATION = "\n".join([_SHAPENET, _NMR, _DVR])
"""BibTeX of the folders of PNG files."""

CORE_CITATION = _SHAPENET
"""BibTeX of ShapeNetCore."""

RENDERINGS_URL = (
    "https://s3.eu-central-1.amazonaws.com/avg-projects/"
    "differentiable_volumetric_rendering/data/NMR_Dataset.zip"
)
"""Address of the folders of PNG files, as published code gives it."""
