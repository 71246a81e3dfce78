"""Pascal VOC: an XML file a picture. Corners count pixels from 1, inclusive: a box over columns 3..7 is 4 and 8."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.sax.saxutils import escape

from bboxbench.data_gen.exports.layout import Format, Texts
from bboxbench.data_gen.exports.pictures import picture_name, png, write_new, write_pictures
from bboxbench.data_gen.exports.segments import VOC_PALETTE, object_map
from bboxbench.data_gen.exports.source import Piece, Source
from bboxbench.data_gen.samples import Sample

__all__ = ["PascalVoc"]

_SETS = {"train": ("train", "trainval"), "validation": ("val", "trainval"), "test": ("test",)}
"""The lists of ``ImageSets/Main`` in which a split stands."""

_SEGMENTATIONS = ("SegmentationClass", "SegmentationObject")


class PascalVoc(Format):
    """``JPEGImages``, the convention's name, ``Annotations``, ``ImageSets``; segmentations where there are masks."""

    name = "voc"
    title = "Pascal VOC"

    def picture_folder(self, split: str) -> str:
        """One for all splits. JPEG would change pixels, so the pictures in it are PNG all the same."""
        return "JPEGImages"

    def piece_files(self, source: Source, piece: Piece) -> list[str]:
        """Pictures, annotations, segmentations."""
        names = [picture_name(index) for index in piece.rows]
        files = super().piece_files(source, piece) + [f"Annotations/{_stem(name)}.xml" for name in names]
        return files + [f"{place}/{name}" for place in (_SEGMENTATIONS if source.masks else ()) for name in names]

    def write_piece(self, folder: Path, source: Source, piece: Piece) -> dict[str, str]:
        """Pictures and annotations; names for the lists."""
        stems = []
        for file_name, sample in write_pictures(folder / "JPEGImages", source.samples(piece)):
            stems.append(_stem(file_name))
            write_new(folder / "Annotations" / f"{stems[-1]}.xml", _annotation(source, file_name, sample).encode())
            if sample.class_map is not None:
                for place, values in zip(_SEGMENTATIONS, (sample.class_map, object_map(sample.class_map)), strict=True):
                    write_new(folder / place / file_name, png(values, VOC_PALETTE))
        return {"stems": "\n".join(stems) + "\n"}

    def whole_files(self, source: Source, texts: Texts) -> Iterator[tuple[str, Iterable[str]]]:
        """The lists of ``ImageSets``, and the class names, for which VOC has no file of its own."""
        lists: dict[str, list[str]] = {}
        for split, names in _SETS.items():
            for name in names if split in source.splits else ():
                lists.setdefault(name, []).append(split)
        for kind in ("Main", "Segmentation") if source.masks else ("Main",):
            for name, chosen in lists.items():
                yield f"ImageSets/{kind}/{name}.txt", _chained(chosen, texts)
        yield "labels.txt", ["\n".join(source.classes) + "\n"]

    def reading(self, folder: Path, source: Source) -> str:
        """By any XML parser."""
        first = f"{folder}/Annotations/{_stem(picture_name(source.pieces[0].rows.start))}.xml"
        return f"xml.etree.ElementTree.parse({first!r}); corners count from 1, inclusive"


def _chained(splits: list[str], texts: Texts) -> Iterator[str]:
    for split in splits:
        yield from texts(split, "stems")


def _stem(picture: str) -> str:
    return picture.removesuffix(".png")


def _annotation(source: Source, file_name: str, sample: Sample) -> str:
    xmin, ymin, xmax, ymax = sample.box.tolist()
    return f"""<annotation>
  <folder>{escape(source.name)}</folder>
  <filename>{file_name}</filename>
  <source><database>bboxbench</database><annotation>{source.sha256}</annotation></source>
  <size><width>{source.width}</width><height>{source.height}</height><depth>3</depth></size>
  <segmented>{int(source.masks)}</segmented>
  <object>
    <name>{escape(sample.glyph)}</name>
    <pose>Unspecified</pose>
    <truncated>0</truncated>
    <difficult>0</difficult>
    <occluded>0</occluded>
    <bndbox><xmin>{xmin + 1}</xmin><ymin>{ymin + 1}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox>
  </object>
</annotation>
"""
