"""What a file is by its first bytes, so that one which is not taken is refused by its name."""

from typing import Final

_TAKEN: Final = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
}
_REFUSED: Final = {
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"8BPS": "PSD",
    b"%PDF": "PDF",
    b"\0\0\1\0": "ICO",
}
_BRANDS: Final = {b"avif": "AVIF", b"avis": "AVIF"}
_HEIF_BRANDS: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def taken_format(data: bytes) -> str | None:
    """Return JPEG, PNG or WebP if the file begins as one, whole or not."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    return _beginning(data, _TAKEN)


def other_format(data: bytes) -> str | None:
    """Return the name of an image format that is not taken, None if the file has none we know."""
    if data[4:8] == b"ftyp":
        brands = [data[8:12], *(data[at : at + 4] for at in range(16, 64, 4))]
        found = next((_BRANDS[brand] for brand in brands if brand in _BRANDS), None)
        return found or ("HEIC" if any(brand in _HEIF_BRANDS for brand in brands) else None)
    if data[:2] == b"BM" and data[6:10] == bytes(4):
        return "BMP"
    if b"<svg" in data[:1000].lower():
        return "SVG"
    return _beginning(data, _REFUSED)


def _beginning(data: bytes, names: dict[bytes, str]) -> str | None:
    return next((name for start, name in names.items() if data.startswith(start)), None)
