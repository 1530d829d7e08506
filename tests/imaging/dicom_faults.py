"""Faulty DICOM folders: each function lays one under `scan` in the working folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from imaging_grids import on_grid
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from dicom_writing import Change, save, uid, write_enhanced, write_series

STORED = "1.2.840.10008.5.1.4.1.1."


def noise(planes: int = 6) -> sitk.Image:
    return on_grid(np.random.default_rng(3).integers(-1000, 1000, (planes, 18, 17)).astype(np.int16))


def upright() -> sitk.Image:
    """Axial planes of 0.5 x 1.25 mm every 3 mm, so that the figures in the messages are plain."""
    volume = noise()
    volume.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, 1))
    volume.SetOrigin((0, 0, 0))
    return volume


def scan(change: Change, modality: str = "CT", folder: str = "scan", series: str = "a") -> list[Path]:
    return write_series(upright(), folder, modality=modality, change=change, series=series)


def setting(**values: object) -> Callable[[], object]:
    """Write the same wrong values into every image."""

    def change(k: int, image: Dataset) -> None:
        for name, value in values.items():
            setattr(image, name, value)

    return lambda: scan(change)


def without(*names: str) -> Callable[[], object]:
    def change(k: int, image: Dataset) -> None:
        for name in names:
            delattr(image, name)

    return lambda: scan(change)


def at(place: Callable[[int], tuple[float, float, float]]) -> Callable[[], object]:
    """Move every plane."""

    def change(k: int, image: Dataset) -> None:
        image.ImagePositionPatient = [f"{value:.6f}" for value in place(k)]

    return lambda: scan(change)


def in_one(k_wrong: int, **values: object) -> Callable[[], object]:
    """Write wrong values into one image only."""

    def change(k: int, image: Dataset) -> None:
        for name, value in values.items():
            if k == k_wrong:
                setattr(image, name, value)

    return lambda: scan(change)


def lost(*places: int) -> Callable[[], object]:
    def build() -> None:
        files = write_series(upright(), "scan")
        for place in places:
            files[place].unlink()

    return build


def halves(**values: tuple[object, object]) -> Callable[[], object]:
    """Two values within one series: for the lower planes, and for the upper ones."""

    def change(k: int, image: Dataset) -> None:
        for name, pair in values.items():
            setattr(image, name, pair[k >= 3])

    return lambda: scan(change)


def twice(**values: tuple[object, object]) -> Callable[[], object]:
    """Every plane two times, told apart by the given tags."""

    def build() -> None:
        for time in (0, 1):

            def change(k: int, image: Dataset, time: int = time) -> None:
                image.SOPInstanceUID = uid(time, "image", k)
                for name, pair in values.items():
                    setattr(image, name, pair[time])

            scan(change, "MR", f"scan/{time}")

    return build


def copied() -> None:
    scan(lambda k, image: None, folder="scan/a")
    scan(lambda k, image: None, folder="scan/b")


def several(*names: str) -> Callable[[], object]:
    """Series of different descriptions, numbered from 1."""

    def build() -> None:
        for number, name in enumerate(names, 1):

            def change(k: int, image: Dataset, number: int = number, name: str = name) -> None:
                image.SeriesNumber, image.SeriesDescription = number, name

            scan(change, series=f"s{number}")

    return build


def cut(keep: float) -> Callable[[], object]:
    def build() -> None:
        file = write_series(upright(), "scan")[2]
        content = file.read_bytes()
        file.write_bytes(content[: int(len(content) * keep)])

    return build


def cut_compressed(syntax: object) -> Callable[[], object]:
    def build() -> None:
        file = write_series(upright(), "scan", syntax=syntax)[2]
        content = file.read_bytes()
        file.write_bytes(content[:-300])

    return build


def damaged_deflated() -> None:
    file = write_series(upright(), "scan", syntax=DeflatedExplicitVRLittleEndian)[2]
    content = bytearray(file.read_bytes())
    content[600:640] = b"\xff" * 40
    file.write_bytes(content)


def no_pixels() -> None:
    scan(lambda k, image: image.pop("PixelData") if k == 1 else None)


def broken_header() -> None:
    file = write_series(upright(), "scan")[3]
    content = bytearray(file.read_bytes())
    content[132:160] = bytes(range(100, 128))
    file.write_bytes(content)


def stray(name: str, content: bytes) -> Callable[[], object]:
    def build() -> None:
        write_series(upright(), "scan")
        Path("scan", name).write_bytes(content)

    return build


def other_files() -> None:
    Path("scan").mkdir()
    Path("scan/readme.txt").write_text("the scans are on the other disc")
    Path("scan/photo.jpg").write_bytes(b"\xff\xd8\xff")


def unwritten(name: str, raw: bytes) -> Callable[[], object]:
    """Replace the text of a decimal tag by other text of the same length."""

    def build() -> None:
        for file in write_series(upright(), "scan", rescale=(1.0625, -1024)):
            content = file.read_bytes()
            element = dcmread(file)[name]
            several = element.value if element.VM > 1 else [element.value]
            value = "\\".join(str(one) for one in several).encode()
            assert value in content
            file.write_bytes(content.replace(value, raw * len(value), 1))

    return build


def lookup_table() -> None:
    def change(k: int, image: Dataset) -> None:
        table = Dataset()
        table.LUTDescriptor, table.ModalityLUTType, table.LUTData = [4, 0, 16], "US", b"\0\0\1\0\2\0\3\0"
        image.ModalityLUTSequence = [table]

    scan(change)


def coloured() -> None:
    def change(k: int, image: Dataset) -> None:
        image.SamplesPerPixel, image.PhotometricInterpretation, image.PlanarConfiguration = 3, "RGB", 0
        image.PixelData = bytes(18 * 17 * 3)
        image.BitsAllocated = image.BitsStored = 8
        image.HighBit, image.PixelRepresentation = 7, 0

    scan(change)


def document(sop: str, modality: str) -> Callable[[], object]:
    """A DICOM object without pixels."""

    def build() -> None:
        Path("scan").mkdir()
        item = Dataset()
        item.SOPClassUID, item.SOPInstanceUID, item.SeriesInstanceUID = sop, uid(1), uid("document")
        item.Modality, item.SeriesNumber = modality, 7
        save(item, Path("scan/item.dcm"), ExplicitVRLittleEndian)

    return build


def mixed_kinds() -> None:
    def change(k: int, image: Dataset) -> None:
        if k == 5:
            image.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    scan(change)


def one_slice() -> None:
    write_series(noise(1), "scan")


def fewer_frames() -> None:
    def change(image: Dataset) -> None:
        image.PerFrameFunctionalGroupsSequence.pop()

    Path("scan").mkdir()
    write_enhanced(upright(), "scan/enhanced.dcm", change=change)


def fewer_pixels() -> None:
    def change(image: Dataset) -> None:
        image.PixelData = image.PixelData[: -2 * 18 * 17]

    Path("scan").mkdir()
    write_enhanced(upright(), "scan/enhanced.dcm", change=change)


def absurd_frames() -> None:
    Path("scan").mkdir()
    write_enhanced(
        upright(), "scan/enhanced.dcm", change=lambda image: setattr(image, "NumberOfFrames", 10**9)
    )


def echoes() -> None:
    Path("scan").mkdir()
    write_enhanced(upright(), "scan/enhanced.dcm", echoes=(20.0, 80.5))


# name: (build the folder `scan`, choice of the series)
FAULTS: dict[str, tuple[Callable[[], object], str]] = {
    "no folder": (lambda: None, ""),
    "empty folder": (lambda: Path("scan").mkdir(), ""),
    "folder without DICOM": (other_files, ""),
    "missing slice": (lost(2), ""),
    "missing slices in two places": (lost(1, 3), ""),
    "uneven spacing": (at(lambda k: (0, 0, (0, 3, 6, 8, 11, 14)[k])), ""),
    "spacing that grows": (at(lambda k: (0, 0, 3 * k + 0.1 * k * k)), ""),
    "gantry tilt": (at(lambda k: (0, 1.5 * k, 3 * k)), ""),
    "table moved half way": (at(lambda k: (2 if k > 3 else 0, 0, 3 * k)), ""),
    "tilt and a missing slice": (at(lambda k: (0, 0.75 * (k + (k > 2)), 3 * (k + (k > 2)))), ""),
    "two orientations": (
        halves(ImageOrientationPatient=([1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1]), SeriesNumber=(4, 5)),
        "",
    ),
    "one plane turned": (
        in_one(2, ImageOrientationPatient=["0.9998", "0.02", "0", "-0.02", "0.9998", "0"]),
        "",
    ),
    "two echoes": (twice(EchoTime=("20", "80")), ""),
    "two b-values": (twice(DiffusionBValue=(0.0, 800.0)), ""),
    "water and fat": (
        twice(ImageType=(["DERIVED", "PRIMARY", "W"], ["DERIVED", "PRIMARY", "F"])),
        "",
    ),
    "two time points": (twice(TemporalPositionIdentifier=(1, 2), AcquisitionNumber=(1, 2)), ""),
    "repetitions that no tag tells apart": (twice(), ""),
    "copies": (copied, ""),
    "one place imaged repeatedly": (at(lambda k: (0, 0, 0)), ""),
    "two echoes in one enhanced object": (echoes, ""),
    "two sizes": (halves(Rows=(18, 9), SeriesNumber=(4, 5)), ""),
    "two pixel spacings": (halves(PixelSpacing=(["1.25", "0.5"], ["1.5", "0.6"])), ""),
    "no pixel spacing": (without("PixelSpacing"), ""),
    "pixel spacing of zero": (setting(PixelSpacing=["0", "0.5"]), ""),
    "no position": (without("ImagePositionPatient"), ""),
    "no geometry at all": (without("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"), ""),
    "position in one image is no number": (unwritten("ImagePositionPatient", b"x"), ""),
    "orientation of two parallel axes": (setting(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), ""),
    "orientation of zeros": (setting(ImageOrientationPatient=[0, 0, 0, 0, 0, 0]), ""),
    "secondary captures": (setting(SOPClassUID=STORED + "7"), ""),
    "localizer": (setting(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), ""),
    "colour": (coloured, ""),
    "a localizer among the planes": (mixed_kinds, ""),
    "one slice": (one_slice, ""),
    "structured report": (document(STORED + "88.11", "SR"), ""),
    "key objects": (document(STORED + "88.59", "KO"), ""),
    "presentation state": (document(STORED + "11.1", "PR"), ""),
    "segmentation": (document(STORED + "66.4", "SEG"), ""),
    "structure set": (document(STORED + "481.3", "RTSTRUCT"), ""),
    "dose": (document(STORED + "481.2", "RTDOSE"), ""),
    "object of a private kind": (document("1.2.3.4", "OT"), ""),
    "truncated pixel data": (cut(0.9), ""),
    "truncated header": (cut(0.3), ""),
    "truncated run lengths": (cut_compressed(RLELossless), ""),
    "truncated JPEG 2000": (cut_compressed(JPEG2000Lossless), ""),
    "damaged deflated file": (damaged_deflated, ""),
    "no pixel data": (no_pixels, ""),
    "damaged header": (broken_header, ""),
    "empty DICOM file": (stray("x.dcm", b""), ""),
    "a web page saved as DICOM": (stray("x.dcm", b"<html>404</html>"), ""),
    "a header without rows": (without("Rows", "Columns"), ""),
    "a slope that is no number": (unwritten("RescaleSlope", b"x"), ""),
    "a slope in some slices only": (in_one(3, RescaleSlope="2", RescaleIntercept="0"), ""),
    "an absurd slope": (setting(RescaleSlope="1e300", RescaleIntercept="0"), ""),
    "slope of zero": (setting(RescaleSlope="0", RescaleIntercept="0"), ""),
    "lookup table": (lookup_table, ""),
    "two units": (halves(RescaleType=("HU", "US")), ""),
    "fewer frames described than stored": (fewer_frames, ""),
    "fewer frames stored than described": (fewer_pixels, ""),
    "a thousand million frames": (absurd_frames, ""),
    "transfer syntax of a film": (
        lambda: [_relabel(file) for file in write_series(upright(), "scan", syntax=JPEG2000Lossless)],
        "",
    ),
    "several series and no choice": (several("SAG T1", "SAG T2 FS"), ""),
    "a choice that fits several": (several("SAG T1", "SAG T2 FS", "AX T2"), "sag"),
    "a choice that fits none": (several("SAG T1", "SAG T2 FS"), "COR"),
    "an echo time that is not there": (twice(EchoTime=("20", "80")), ";EchoTime=30"),
    "a tag that cannot be a choice": (twice(EchoTime=("20", "80")), ";PatientName=Doe"),
}


def _relabel(file: Path) -> None:
    """Say MPEG2 where JPEG 2000 is."""
    image = dcmread(file)
    image.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"
    image.save_as(file)
