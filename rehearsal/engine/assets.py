"""Content hashes of assets and archives, computed as the Pulumi engine computes them.

Changes of a file are detected by its hash. The rules are ``EnsureHashWithWD`` of
``sdk/go/common/resource/asset/asset.go`` and ``sdk/go/common/resource/archive/archive.go``: the SHA-256 of an
asset's bytes, of an archive file's bytes, or of a tar stream with one entry per file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from rehearsal.pulumi.properties import ASSET_SIGNATURE, Asset, Secret, Value, leaves, unwrap, with_leaves

_ARCHIVE_SUFFIXES: Final = (".tar", ".tgz", ".tar.gz", ".zip", ".jar")
_BOOKKEEPING: Final = ".pulumi"  # the engine leaves files and folders of this name out of an archive
_BLOCK: Final = 512  # bytes, of a tar stream


class AssetError(ValueError):
    """The content of an asset or archive cannot be read. The message names the property and the file."""


def with_hashes(value: Value, folder: Path, at: str = "") -> Any:
    """Return `value` with a ``hash`` in every asset and archive that has none, members of archives included.

    Paths are relative to `folder`; `at` is the path of `value`, for messages. Raises AssetError.
    """
    match value:
        case Asset() if not value.hash:
            try:
                return _hashed(value, folder)
            except OSError as error:
                name = error.filename or ""
                raise AssetError(f"{at}: cannot read {name}: {error.strerror}") from None
            except ValueError as error:
                raise AssetError(f"{at}: {error}") from None
        case Secret(element):
            return Secret(with_hashes(element, folder, at))
        case dict():
            return {
                key: with_hashes(item, folder, f"{at}.{key}" if at else key) for key, item in value.items()
            }
        case list():
            return [with_hashes(item, folder, f"{at}[{index}]") for index, item in enumerate(value)]
        case _:
            return value


def without_contents(value: Value) -> Any:
    """Return `value` with the hashes of its assets and archives only, as a provider's Read receives them."""

    def elided(leaf: Value) -> Value:
        if not isinstance(leaf, Asset):
            return leaf
        return Asset(leaf.signature, (("hash", leaf.hash),) if leaf.hash else ())

    return with_leaves(value, elided)


def with_contents_of(value: Value, inputs: Value) -> Any:
    """Return what a provider read with the contents of the assets that `inputs` has under the same hash.

    Archives stay empty, as ``restoreElidedAssetContents`` of the Pulumi SDK leaves them: an archive without
    contents is read as one without members, which counts as contents there.
    """
    found = (leaf for _, leaf in leaves(unwrap(inputs)) if isinstance(leaf, Asset))
    known = {asset.hash: asset for asset in found if asset.signature == ASSET_SIGNATURE and asset.hash}

    def restored(leaf: Value) -> Value:
        if not isinstance(leaf, Asset) or leaf.fields.keys() - {"hash"}:
            return leaf
        if leaf.signature == ASSET_SIGNATURE:
            return known.get(leaf.hash, leaf)
        return Asset(leaf.signature, (("assets", {}), *leaf.body))

    return with_leaves(value, restored)


def _hashed(asset: Asset, folder: Path) -> Asset:
    digest = hashlib.sha256()
    body = {key: item for key, item in asset.body if key != "text" or item}  # an empty text is left out
    if asset.signature == ASSET_SIGNATURE:
        digest.update(_content(asset, folder))
    elif (source := _archive_file(asset, folder)) is not None:
        digest.update(source.read_bytes())
    else:
        _write_tar(_members(asset, folder), digest.update)
        if assets := asset.fields.get("assets"):
            body["assets"] = {name: _hashed(member, folder) for name, member in assets.items()}
    return Asset(asset.signature, tuple(sorted({**body, "hash": digest.hexdigest()}.items())))


def _content(asset: Asset, folder: Path) -> bytes:
    fields = asset.fields
    if path := fields.get("path"):
        return (folder / path).read_bytes()
    if uri := fields.get("uri"):
        return _file_of(uri).read_bytes()
    return str(fields.get("text", "")).encode()


def _file_of(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.scheme != "file":
        raise ValueError(f"{uri} is not on this machine, and a rehearsal downloads nothing; use a local file")
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise ValueError(f"{uri} must have an absolute path and no host, as in file:///folder/file")
    return Path(unquote(parts.path))


def _archive_file(archive: Asset, folder: Path) -> Path | None:
    """Return the file of an archive that needs no conversion; its bytes are hashed unchanged."""
    fields = archive.fields
    if path := fields.get("path"):
        return folder / path if path.endswith(_ARCHIVE_SUFFIXES) else None
    if (uri := fields.get("uri")) and urlsplit(uri).path.endswith(_ARCHIVE_SUFFIXES):
        return _file_of(uri)
    return None


def _members(archive: Asset, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file in `archive`, in the order in which the engine writes them."""
    fields = archive.fields
    if path := fields.get("path"):
        if path.endswith(_ARCHIVE_SUFFIXES):
            yield from _unpacked(folder / path)
        else:
            yield from _walked(folder / path, path)
        return
    if uri := fields.get("uri"):
        yield from _unpacked(_file_of(uri))
        return
    assets: Mapping[str, Any] = fields.get("assets") or {}
    for name in sorted(assets, key=str.encode):
        member = assets[name]
        if not isinstance(member, Asset):
            raise ValueError(f"the member {name} of the archive must be an asset or an archive")
        if member.signature == ASSET_SIGNATURE:
            yield name, _content(member, folder)
        else:
            for below, content in _members(member, folder):
                yield os.path.normpath(f"{name}/{below}"), content


def _walked(root: Path, named: str) -> Iterator[tuple[str, bytes]]:
    """Yield the files below `root` in lexical order by folder, as Go's ``filepath.Walk`` visits them.

    Links to folders are skipped. So an archive of such a link is empty, unless its path is absolute and ends
    in a slash, and so is an archive of a folder with the name of the engine's own one.
    """
    if not root.exists():
        raise ValueError(f"the folder {named} does not exist")
    if not root.is_dir():
        raise ValueError(f"{named} is neither a folder nor an archive ({', '.join(_ARCHIVE_SUFFIXES)})")

    link = root.is_symlink() and not (Path(named).is_absolute() and named.endswith("/"))
    if link or root.name == _BOOKKEEPING:
        return

    def visit(folder: Path) -> Iterator[tuple[str, bytes]]:
        for entry in sorted(folder.iterdir(), key=lambda item: os.fsencode(item.name)):
            if entry.name == _BOOKKEEPING:
                continue
            if entry.is_dir():
                if not entry.is_symlink():
                    yield from visit(entry)
                continue
            yield str(entry.relative_to(root)), entry.read_bytes()

    yield from visit(root)


def _unpacked(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files in the archive file `path`. Raises ValueError if it is malformed."""
    try:
        yield from (_unzipped if path.suffix in (".zip", ".jar") else _untarred)(path)
    except (OSError, ValueError):
        raise
    except Exception as error:  # zipfile, tarfile and zlib have no common class of errors
        raise ValueError(f"{path.name} cannot be unpacked: {error}") from None


def _unzipped(path: Path) -> Iterator[tuple[str, bytes]]:
    import zipfile

    with zipfile.ZipFile(path) as packed:
        for item in packed.infolist():
            if not item.is_dir():
                yield item.filename, packed.read(item)


def _untarred(path: Path) -> Iterator[tuple[str, bytes]]:
    import tarfile

    with tarfile.open(path) as stream:
        for member in stream:
            if member.isdir():
                continue
            file = stream.extractfile(member) if member.isreg() else None
            if file is None:  # the CLI ends with a panic
                raise ValueError(f"{path.name} has {member.name}, which is neither a file nor a folder")
            yield member.name, file.read()


def _write_tar(files: Iterator[tuple[str, bytes]], write: Callable[[bytes], Any]) -> None:
    """Write the tar stream that Go's ``archive/tar`` creates from `files`: mode 0600, no times, no owners."""
    seen: set[str] = set()
    for name, content in files:
        if name in seen:
            continue
        seen.add(name)
        split = _ustar_name(name)
        if split is None:
            record = _pax_record("path", name)
            folder, _, base = name.rpartition("/")
            header = _ascii("/".join([*([folder] if folder else []), "PaxHeaders.0", base])).rstrip(b"/")
            write(_header(header, len(record), kind=b"x", mode=0, devices=False))
            write(record + bytes(-len(record) % _BLOCK))
            write(_header(_ascii(name), len(content)))
        else:
            write(_header(split[1], len(content), prefix=split[0]))
        write(content + bytes(-len(content) % _BLOCK))
    write(bytes(2 * _BLOCK))


def _ustar_name(name: str) -> tuple[bytes, bytes] | None:
    """Return (prefix, name) in the USTAR format; None if a PAX record is needed."""
    raw = name.encode()
    if not name.isascii():
        return None
    if len(raw) <= 100:
        return b"", raw
    # ``splitUSTARPath``: the last slash within the first 155 bytes.
    length = min(len(raw), 156 + (raw[-1:] == b"/"))
    at = raw.rfind(b"/", 0, length)
    prefix, rest = raw[: max(at, 0)], raw[at + 1 :]
    return (prefix, rest) if at > 0 and 0 < len(rest) <= 100 and len(prefix) <= 155 else None


def _pax_record(key: str, value: str) -> bytes:
    body = f" {key}={value}\n".encode()
    size = len(body)
    size += len(str(size + len(str(size))))
    return f"{size}".encode() + body


def _ascii(text: str) -> bytes:
    return "".join(char for char in text if char.isascii()).encode()[:100]


def _header(
    name: bytes,
    size: int,
    *,
    prefix: bytes = b"",
    kind: bytes = b"0",
    mode: int = 0o600,
    devices: bool = True,
) -> bytes:
    device = b"0000000\0" if devices else bytes(8)
    block = bytearray(
        name.ljust(100, b"\0")
        + b"%07o\0" % mode
        + b"0000000\0" * 2
        + b"%011o\0" % size
        + b"0" * 11
        + b"\0"
        + b" " * 8
        + kind
        + bytes(100)
        + b"ustar\x0000"
        + bytes(64)
        + device * 2
        + prefix.ljust(155, b"\0")
        + bytes(12)
    )
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)
