"""Seeded mutations: of bytes anywhere, and of what the formats mean (headers, pickles, sizes)."""

from __future__ import annotations

import io
import json
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

Random = np.random.Generator
Mutator = Callable[[bytes, Random], bytes]

INTERESTING = (
    *(0, 1, -1, 2, 7, 8, 127, 128, 255, 256, 4096, 2**15, 2**16, 2**24, 2**31 - 1, 2**31),
    *(2**32 - 1, 2**32, 2**40, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 10**12),
)
NAMES = (
    *("", ".", "..", "../up", "/etc/passwd", "a" * 300, "x" * 5000, "w\0", "a/b\\c", "\x1b[31mred"),
    *(
        "<script>alert(1)</script>",
        "\u202eevil",
        "\ud800",
        "=1+1",
        "`|[x](y)",
        "\r\nfake",
        "weight",
    ),
    *("module.w.weight", "_embed" * 50 + ".weight", "conv.weight", "config.json", "data.pkl"),
)
VALUES: tuple[Any, ...] = (
    *INTERESTING, *NAMES, None, True, 0.5, 1e308, float("inf"), float("nan"), 10**400, [], {},
    [[]], {"a": {}}, "F32", "F64", "F16", "BF16", "F8_E4M3", "I64", "F4", "BOOL", "C64",
)  # fmt: skip
ATTRIBUTES: tuple[Any, ...] = (
    *(0, 1, -1, 2, 7, 2**31, 2**63 - 1, -(2**63), 0.0, 0.5, -1.0, 1e38, float("inf"), float("nan")),
    *("", "a", "SAME_UPPER", "VALID", [1], [0, 1], [1, 0], [-1], [2**62, 2**62], [0.5], [1.0, 2.0]),
    *([1, 1], [0, 0], [1, 1, 1, 1], ["a"], [2**63 - 1]),
)
SNIPPETS = (
    b"cos\nsystem\nX\x04\x00\x00\x00true\x85R", b"cbuiltins\neval\n", b"ctorch\nload\n", b"\x85R",
    b"(iposix\nsystem\n", b"cnumpy\ndtype\n", b"}", b"]", b")", b"N", b"(", b"t", b"R", b"b", b"Q",
    b"\x81", b"\x92", b"\x93", b"\x94", b"\x95" + bytes(8), b"\x97", b"\x98", b"\x82\x01", b"P0\n",
    b"\x8b\xff\xff\xff\x7f", b"\x8d" + b"\xff" * 8, b"\x8a\xff", b"I9\n", b"L9L\n", b"F1\n", b"0",
    b"1", b"2", b"a", b"e", b"s", b"u", b"\x8f", b"\x90", b"\x91", b"o", b"i", b"h\x00", b"q\x00",
    b"ccollections\nOrderedDict\n)R", b"ctorch\nSize\n", b"J\xff\xff\xff\xff", b".",
)  # fmt: skip


def bytes_changed(content: bytes, random: Random) -> bytes:
    """A few bytes or blocks changed, mostly near the beginning or the end."""
    changed = bytearray(content)
    for _ in range(int(random.integers(1, 6))):
        if not changed:
            break
        _change(changed, random)
    return bytes(changed)


def _change(changed: bytearray, random: Random) -> None:
    place, other = _place(len(changed), random), _place(len(changed), random)
    length = int(random.integers(1, 64))
    match int(random.integers(10)):
        case 0 | 1:
            changed[place] ^= 1 << int(random.integers(8))
        case 2:
            changed[place] = int(random.integers(256))
        case 3 | 4:
            size = int(random.choice([2, 4, 8]))
            number = int(random.choice(np.array(INTERESTING, object))) % 2 ** (8 * size)
            order = "little" if random.random() < 0.8 else "big"
            changed[place : place + size] = number.to_bytes(size, order)
        case 5:
            changed[place:place] = random.bytes(length)
        case 6:
            del changed[place : place + length]
        case 7:
            changed[place:place] = changed[other : other + length]
        case 8:
            one, two = changed[place : place + length], changed[other : other + length]
            changed[place : place + length], changed[other : other + length] = two, one
        case _:
            if random.random() < 0.3:
                del changed[place:]
            else:
                changed[place : place + length] = bytes(length)


def _place(length: int, random: Random) -> int:
    near = int(random.integers(min(length, 1500)))
    where = random.random()
    if where < 0.4:
        return near
    return length - 1 - near if where < 0.7 else int(random.integers(length))


def header_changed(content: bytes, random: Random) -> bytes:
    """The JSON header of a safetensors file, with a right length before it."""
    if content[:1] in b"{[" or len(content) < 8:
        return json_changed(content, random)
    length = int.from_bytes(content[:8], "little")
    change = _reshaped if random.random() < 0.4 else json_changed
    header = change(content[8 : 8 + length], random)
    if random.random() < 0.1:
        header += b" " * int(random.integers(5000))
    return struct.pack("<Q", len(header)) + header + content[8 + length :]


_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "I64": 8, "U8": 1, "BOOL": 1}


def _reshaped(header: bytes, random: Random) -> bytes:
    """Tensors with other shapes, types and names over the same bytes: an honest file, but odd."""
    root = json.loads(header)
    for name, entry in list(root.items()):
        if "shape" not in entry or random.random() < 0.5:
            continue
        begin, end = entry["data_offsets"]
        kinds = [kind for kind, size in _SIZES.items() if (end - begin) % size == 0]
        entry["dtype"] = kinds[int(random.integers(len(kinds)))]
        left, shape = (end - begin) // _SIZES[entry["dtype"]], []
        for _ in range(int(random.integers(0, 5))):
            divisors = [number for number in range(1, left + 1) if left % number == 0]
            shape.append(divisors[int(random.integers(len(divisors)))])
            left //= shape[-1]
        entry["shape"] = [int(side) for side in random.permutation([*shape, left])]
        if random.random() < 0.3:
            root[NAMES[int(random.integers(len(NAMES)))]] = root.pop(name)
    return json.dumps(root).encode()


def json_changed(content: bytes, random: Random) -> bytes:
    """A JSON object with values, names or structure changed."""
    try:
        root = json.loads(content)
    except ValueError:
        return bytes_changed(content, random)
    for _ in range(int(random.integers(1, 4))):
        _change_object(root, random)
    text = json.dumps(root, ensure_ascii=bool(random.random() < 0.9))
    if random.random() < 0.05:
        text = text.replace("{", "{" + '"twice":1,' * 2, 1)
    if random.random() < 0.05:
        text = '{"a":' * 3000 + text + "}" * 3000
    return text.encode(str(random.choice(["utf-8"] * 19 + ["utf-16"])), "surrogatepass")


def _change_object(root: Any, random: Random) -> None:
    part = root
    while True:  # a random way down to something to change
        keys = list(part) if isinstance(part, dict) else list(range(len(part)))
        if not keys:
            return
        key = keys[int(random.integers(len(keys)))]
        if not isinstance(part[key], dict | list) or random.random() < 0.25:
            break
        part = part[key]
    value = VALUES[int(random.integers(len(VALUES)))]
    kind = random.random()
    if kind < 0.15:
        del part[key]
    elif kind < 0.35 and isinstance(part, dict):
        part[NAMES[int(random.integers(len(NAMES)))]] = part.pop(key)
    elif kind < 0.45:
        part[key] = part[keys[int(random.integers(len(keys)))]]
    elif kind < 0.65 and type(part[key]) is int:
        part[key] += int(random.choice([-8, -4, -1, 1, 4, 8]))
    elif kind < 0.75 and isinstance(part, list):
        part.insert(key, value)
    else:
        part[key] = value


def pickles_changed(content: bytes, random: Random) -> bytes:
    """Instructions of the pickles at the beginning removed, doubled, replaced or put in."""
    spans, position = [], 0
    for _ in range(6):
        try:
            stream = io.BytesIO(content[position:])
            starts = [position + (at or 0) for _, _, at in pickletools.genops(stream)]
        except Exception:  # noqa: BLE001, RUF100  (where the pickles end)
            break
        position += stream.tell()
        spans += [*zip(starts, [*starts[1:], position], strict=True)]
    if not spans:
        return bytes_changed(content, random)
    changed = bytearray(content)
    for _ in range(int(random.integers(1, 4))):
        begin, end = spans[int(random.integers(len(spans)))]
        if end > len(changed):  # what was taken out before has moved the rest
            continue
        kind = random.random()
        if kind < 0.2:
            changed[begin:end] = b""
        elif kind < 0.35:
            changed[begin:begin] = changed[begin:end]
        elif kind < 0.7:
            snippet = SNIPPETS[int(random.integers(len(SNIPPETS)))]
            changed[begin : begin if kind < 0.55 else end] = snippet
        elif end - begin > 1:
            changed[begin + 1 + int(random.integers(end - begin - 1))] = int(random.integers(256))
        else:
            changed[begin] = int(random.integers(256))
    return bytes(changed)


def _members(content: bytes) -> list[tuple[zipfile.ZipInfo, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return [(member, file.read(member)) for member in file.infolist()]


def _zipped(members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as file:
        for name, data in members:
            file.writestr(zipfile.ZipInfo(name), data, compression)
    return made.getvalue()


def pickle_in_zip_changed(content: bytes, random: Random) -> bytes:
    """The pickle of an archive changed, with its check sum right."""
    members = [(member.filename, data) for member, data in _members(content)]
    return _zipped(
        [
            (name, pickles_changed(data, random) if name.endswith(".pkl") else data)
            for name, data in members
        ]
    )


def json_in_zip_changed(content: bytes, random: Random) -> bytes:
    """One of the JSON members of an archive changed, with its check sum right."""
    members = [(member.filename, data) for member, data in _members(content)]
    places = [place for place, (name, _) in enumerate(members) if name.endswith(".json")]
    place = places[int(random.integers(len(places)))]
    name, data = members[place]
    members[place] = (name, json_changed(data, random))
    return _zipped(members)


def storage_in_zip_changed(content: bytes, random: Random) -> bytes:
    """Members longer, shorter, missing or swapped, with their check sums right."""
    members = [(member.filename, data) for member, data in _members(content)]
    at = int(random.integers(len(members)))
    name, data = members[at]
    match int(random.integers(5)):
        case 0:
            data = data[: int(random.integers(len(data) + 1))]
        case 1:
            data = data + bytes(int(random.integers(1, 100)))
        case 2:
            data = bytes_changed(data, random)
        case 3:
            name = name.rpartition("/")[0] + "/" + NAMES[int(random.integers(len(NAMES)))][:200]
            name = name.encode("utf-8", "replace").decode().replace("\0", "")
        case _:
            data = members[int(random.integers(len(members)))][1]
    members[at] = (name, data)
    if random.random() < 0.1:
        del members[int(random.integers(len(members)))]
    return _zipped(members)


def deflated(content: bytes, random: Random) -> bytes:
    """The archive compressed, and then changed."""
    members = [(member.filename, data) for member, data in _members(content)]
    if random.random() < 0.3:
        members.append(("archive/data/bomb", bytes(10_000_000)))
    made = _zipped(members, zipfile.ZIP_DEFLATED)
    return zip_directory_changed(made, random) if random.random() < 0.7 else made


_CENTRAL = (  # field, its place in an entry of the directory, its length
    *(("flags", 8, 2), ("method", 10, 2), ("crc", 16, 4), ("compressed", 20, 4), ("size", 24, 4)),
    *(("name", 28, 2), ("extra", 30, 2), ("comment", 32, 2), ("offset", 42, 4)),
)
_END = (("entries", 10, 2), ("directory size", 12, 4), ("directory", 16, 4), ("comment", 20, 2))


def zip_directory_changed(content: bytes, random: Random) -> bytes:
    """Fields of the directory changed."""
    changed = bytearray(content)
    entries = _found(content, b"PK\x01\x02")
    for _ in range(int(random.integers(1, 4))):
        if entries and random.random() < 0.85:
            begin = entries[int(random.integers(len(entries)))]
            _, place, size = _CENTRAL[int(random.integers(len(_CENTRAL)))]
            donor = entries[int(random.integers(len(entries)))]
            old = int.from_bytes(content[donor + place : donor + place + size], "little")
        else:
            begin = content.rfind(b"PK\x05\x06")
            _, place, size = _END[int(random.integers(len(_END)))]
            old = int.from_bytes(content[begin + place : begin + place + size], "little")
        choices = [old, old + 1, old - 1, *INTERESTING]
        number = int(choices[int(random.integers(len(choices)))]) % 2 ** (8 * size)
        changed[begin + place : begin + place + size] = number.to_bytes(size, "little")
    return bytes(changed)


def zip_member_changed(content: bytes, random: Random) -> bytes:
    """A member's own header, or its data with the directory's check sum made right."""
    changed = bytearray(content)
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        members = file.infolist()
    member = members[int(random.integers(len(members)))]
    begin = member.header_offset
    if random.random() < 0.5:
        changed[begin + int(random.integers(30 + len(member.filename)))] = int(random.integers(256))
        return bytes(changed)
    name, extra = struct.unpack_from("<HH", content, begin + 26)
    start = begin + 30 + name + extra
    end = start + member.compress_size
    if end > start:
        place = start + int(random.integers(end - start))
        changed[place] ^= 1 << int(random.integers(8))
    crc = struct.pack("<I", zlib.crc32(bytes(changed[start:end])))
    for at in _found(content, b"PK\x01\x02"):
        if changed[at + 46 : at + 46 + name] == changed[begin + 30 : begin + 30 + name]:
            changed[at + 16 : at + 20] = crc
    return bytes(changed)


def _found(content: bytes, what: bytes) -> list[int]:
    places, at = [], content.find(what)
    while at >= 0:
        places.append(at)
        at = content.find(what, at + 1)
    return places


def attributes_changed(content: bytes, random: Random) -> bytes:
    """Attributes of an ONNX graph's nodes with other types and values, or on other nodes."""
    import onnx

    model = onnx.ModelProto()
    model.ParseFromString(content)
    nodes = list(model.graph.node)
    every = [attribute for node in nodes for attribute in node.attribute]
    for _ in range(int(random.integers(1, 4))):
        attribute = every[int(random.integers(len(every)))]
        if random.random() < 0.3:
            nodes[int(random.integers(len(nodes)))].attribute.append(attribute)
            continue
        value = ATTRIBUTES[int(random.integers(len(ATTRIBUTES)))]
        other = onnx.helper.make_attribute(attribute.name, value)
        kind = attribute.type
        attribute.CopyFrom(other)
        if random.random() < 0.2:
            attribute.type = kind  # that has no value
    return bytes(model.SerializeToString())


MUTATORS: dict[str, Mutator] = {
    "bytes": bytes_changed,
    "header": header_changed,
    "json": json_changed,
    "json_in_zip": json_in_zip_changed,
    "attributes": attributes_changed,
    "pickles": pickles_changed,
    "pickle_in_zip": pickle_in_zip_changed,
    "storage_in_zip": storage_in_zip_changed,
    "deflated": deflated,
    "zip_directory": zip_directory_changed,
    "zip_member": zip_member_changed,
}


def mutant(content: bytes, mutators: tuple[str, ...], seed: tuple[int, ...]) -> bytes:
    """The mutant of that seed: the same for the same content, mutators and seed."""
    random = np.random.default_rng(seed)
    names = ("bytes", *mutators)
    name = names[int(random.integers(len(names)))]
    try:
        return MUTATORS[name](content, random)
    except (ValueError, KeyError, zipfile.BadZipFile, struct.error, UnicodeError):
        return bytes_changed(content, random)  # of a folder, a file that the mutator does not fit
