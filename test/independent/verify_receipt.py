"""A second verifier of receipts (docs/receipt.md), with nothing but Python's standard library: no line shared with
the TypeScript one, so that a mistake in either shows as a disagreement.

Reads one JSON object a line from stdin, {"text": receipt, "expectations": {...}}, and answers one a line:
{"valid": bool, "failed": [check, ...]}. Slow on purpose: plain integers, plain formulas.
"""

import functools
import json
import pathlib
import re
import sys
import unicodedata

SCHEMA = json.loads((pathlib.Path(__file__).parents[2] / "docs" / "receipt.schema.json").read_text())
Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583
R = 21888242871839275222246405745257275088548364400416034343698204186575808495617


class Refused(Exception):
    pass


def require(condition):
    if not condition:
        raise Refused()


# Keccak-256 (FIPS 202 permutation, padding 0x01).


def keccak(data):
    lanes = [[0] * 5 for _ in range(5)]
    padded = bytearray(data) + b"\x01" + bytes(-(len(data) + 1) % 136)
    padded[-1] |= 0x80
    for block in range(0, len(padded), 136):
        for i in range(17):
            lanes[i % 5][i // 5] ^= int.from_bytes(padded[block + 8 * i : block + 8 * i + 8], "little")
        keccak_f(lanes)
    return b"".join(lanes[i % 5][i // 5].to_bytes(8, "little") for i in range(4))


def keccak_f(a):
    mask = (1 << 64) - 1
    rotate = lambda v, n: ((v << n) | (v >> (64 - n))) & mask if n else v
    lfsr = 1
    for _ in range(24):
        c = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        for x in range(5):
            d = c[(x - 1) % 5] ^ rotate(c[(x + 1) % 5], 1)
            for y in range(5):
                a[x][y] ^= d
        x, y, current = 1, 0, a[1][0]
        for t in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, a[x][y] = a[x][y], rotate(current, ((t + 1) * (t + 2) // 2) % 64)
        for y in range(5):
            row = [a[x][y] for x in range(5)]
            for x in range(5):
                a[x][y] = row[x] ^ (~row[(x + 1) % 5] & mask & row[(x + 2) % 5])
        for j in range(7):
            if lfsr & 1:
                a[0][0] ^= 1 << ((1 << j) - 1)
            lfsr = (lfsr << 1) ^ (0x171 if lfsr & 0x80 else 0)


def word(value):
    return value.to_bytes(32, "big")


def unhex(text):
    return bytes.fromhex(text[2:])


def tohex(data):
    return "0x" + data.hex()


def tag(name):
    return keccak(name.encode())


# Poseidon sponge, t = 17, constants from the Grain LFSR of the paper.


@functools.cache
def poseidon_parameters():
    width, full, partial = 17, 8, 68
    state = [int(b) for b in f"{1:02b}{0:04b}{254:012b}{width:012b}{full:010b}{partial:010b}" + "1" * 30]

    def step():
        bit = state[62] ^ state[51] ^ state[38] ^ state[23] ^ state[13] ^ state[0]
        state.pop(0)
        state.append(bit)
        return bit

    for _ in range(160):
        step()

    def draw():
        value = 0
        for _ in range(254):
            while step() == 0:
                step()
            value = 2 * value + step()
        return value

    constants = []
    while len(constants) < width * (full + partial):
        candidate = draw()
        if candidate < R:
            constants.append(candidate)
    points = [draw() % R for _ in range(2 * width)]
    matrix = [[pow(points[i] + points[width + j], -1, R) for j in range(width)] for i in range(width)]
    return constants, matrix


def sponge(message):
    constants, matrix = poseidon_parameters()
    state = [0] * 17
    for block in range(0, len(message), 16):
        for i, value in enumerate(message[block : block + 16]):
            state[1 + i] = (state[1 + i] + value) % R
        for rnd in range(76):
            state = [(s + constants[17 * rnd + i]) % R for i, s in enumerate(state)]
            everywhere = rnd < 4 or rnd >= 72
            state = [pow(s, 5, R) if everywhere or i == 0 else s for i, s in enumerate(state)]
            state = [sum(m * s for m, s in zip(row, state)) % R for row in matrix]
    return state[0]


# BN254: Fq2 as pairs, Fq12 = Fq2[w] / (w^6 - (9 + u)), optimal ate pairing with affine lines.


def mul2(a, b):
    return ((a[0] * b[0] - a[1] * b[1]) % Q, (a[0] * b[1] + a[1] * b[0]) % Q)


def add2(a, b):
    return ((a[0] + b[0]) % Q, (a[1] + b[1]) % Q)


def sub2(a, b):
    return ((a[0] - b[0]) % Q, (a[1] - b[1]) % Q)


def inv2(a):
    norm = pow(a[0] * a[0] + a[1] * a[1], -1, Q)
    return (a[0] * norm % Q, -a[1] * norm % Q)


def pow2(a, n):
    result = (1, 0)
    for bit in bin(n)[2:]:
        result = mul2(result, result)
        if bit == "1":
            result = mul2(result, a)
    return result


XI = (9, 1)
TWIST_B = mul2((3, 0), inv2(XI))
ONE12 = [(1, 0)] + [(0, 0)] * 5


def mul12(a, b):
    wide = [(0, 0)] * 11
    for i, x in enumerate(a):
        if x == (0, 0):
            continue
        for j, y in enumerate(b):
            if y != (0, 0):
                wide[i + j] = add2(wide[i + j], mul2(x, y))
    return [add2(wide[i], mul2(XI, wide[i + 6])) if i < 5 else wide[i] for i in range(6)]


def pow12(a, n):
    result = ONE12
    for bit in bin(n)[2:]:
        result = mul12(result, result)
        if bit == "1":
            result = mul12(result, a)
    return result


def add_g2(p, q2):
    if p is None:
        return q2
    if q2 is None:
        return p
    if p[0] == q2[0]:
        if p[1] != q2[1] or p[1] == (0, 0):
            return None
        slope = mul2(mul2((3, 0), mul2(p[0], p[0])), inv2(mul2((2, 0), p[1])))
    else:
        slope = mul2(sub2(q2[1], p[1]), inv2(sub2(q2[0], p[0])))
    x = sub2(sub2(mul2(slope, slope), p[0]), q2[0])
    return (x, sub2(mul2(slope, sub2(p[0], x)), p[1]))


def line(t, q2, p):
    """The line through t and q2 of the twist, at p of G1; and t + q2."""
    if t == q2:
        slope = mul2(mul2((3, 0), mul2(t[0], t[0])), inv2(mul2((2, 0), t[1])))
    else:
        slope = mul2(sub2(q2[1], t[1]), inv2(sub2(q2[0], t[0])))
    at = [(p[1], 0), mul2(slope, (-p[0] % Q, 0)), (0, 0), sub2(mul2(slope, t[0]), t[1]), (0, 0), (0, 0)]
    return at, add_g2(t, q2)


def miller(p, q2):
    if p is None:
        return ONE12
    f, t = ONE12, q2
    for bit in bin(29793968203157093288)[3:]:
        at, t = line(t, t, p)
        f = mul12(mul12(f, f), at)
        if bit == "1":
            at, t = line(t, q2, p)
            f = mul12(f, at)
    conjugate = lambda a: (a[0], -a[1] % Q)
    q_1 = (mul2(conjugate(q2[0]), pow2(XI, (Q - 1) // 3)), mul2(conjugate(q2[1]), pow2(XI, (Q - 1) // 2)))
    q_2 = (mul2(q2[0], pow2(XI, (Q * Q - 1) // 3)), q2[1])
    at, t = line(t, q_1, p)
    f = mul12(f, at)
    at, t = line(t, q_2, p)
    return mul12(f, at)


def add_g1(p, other, modulus=Q):
    if p is None:
        return other
    if other is None:
        return p
    if p[0] == other[0]:
        if (p[1] + other[1]) % modulus == 0:
            return None
        slope = 3 * p[0] * p[0] * pow(2 * p[1], -1, modulus)
    else:
        slope = (other[1] - p[1]) * pow(other[0] - p[0], -1, modulus)
    x = (slope * slope - p[0] - other[0]) % modulus
    return (x, (slope * (p[0] - x) - p[1]) % modulus)


def multiply(add, point, scalar):
    result = None
    for bit in bin(scalar)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def g1_point(data):
    x, y = int.from_bytes(data[:32], "big"), int.from_bytes(data[32:64], "big")
    require(x < Q and y < Q and (y * y - x * x * x - 3) % Q == 0)
    return (x, y)


@functools.cache
def g2_point(data):
    c = [int.from_bytes(data[i : i + 32], "big") for i in range(0, 128, 32)]
    require(all(v < Q for v in c))
    x, y = (c[1], c[0]), (c[3], c[2])
    require(mul2(y, y) == add2(mul2(mul2(x, x), x), TWIST_B))
    require(multiply(add_g2, (x, y), R) is None)
    return (x, y)


def negate(p):
    return None if p is None else (p[0], -p[1] % Q)


@functools.cache
def read_key(data):
    require(len(data) >= 512 and (len(data) - 448) % 64 == 0)
    alpha, beta, gamma, delta = g1_point(data[:64]), *(g2_point(data[i : i + 128]) for i in (64, 192, 320))
    ic = [g1_point(data[i : i + 64]) for i in range(448, len(data), 64)]
    generator = (
        (
            10857046999023057135944570762232829481370756359578518086990519993285655852781,
            11559732032986387107991004021392285783925812861821192530917403151452391805634,
        ),
        (
            8495653923123431417604973247489272438418190587263600148770280649306958101930,
            4082367875863433681332203403145435568316851327593401208105741076214120093531,
        ),
    )
    require(gamma != delta and delta != generator and len({point[0] for point in ic}) == len(ic))
    return alpha, beta, gamma, delta, ic


@functools.cache
def proof_holds(key_bytes, signals, proof):
    alpha, beta, gamma, delta, ic = read_key(key_bytes)
    require(len(ic) == len(signals) + 1)
    a, b, c = g1_point(proof[:64]), g2_point(proof[64:192]), g1_point(proof[192:])
    total = ic[0]
    for signal, point in zip(signals, ic[1:]):
        total = add_g1(total, multiply(add_g1, point, signal))
    f = miller(negate(a), b)
    for p, q2 in ((alpha, beta), (total, gamma), (c, delta)):
        f = mul12(f, miller(p, q2))
    require(pow12(f, (Q**12 - 1) // R) == ONE12)


# secp256k1 recovery.

SECP_P = 2**256 - 2**32 - 977
SECP_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SECP_G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


@functools.cache
def recover(digest, signature):
    r, s, v = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), signature[64]
    require(0 < r < SECP_N and 0 < s <= SECP_N // 2 and v in (27, 28))
    y = pow(pow(r, 3, SECP_P) + 7, (SECP_P + 1) // 4, SECP_P)
    require(y * y % SECP_P == (r * r * r + 7) % SECP_P)
    point = (r, y if y % 2 == v - 27 else SECP_P - y)
    add = lambda p, o: add_g1(p, o, SECP_P)
    inverse = pow(r, -1, SECP_N)
    e = int.from_bytes(digest, "big")
    key = add(multiply(add, SECP_G, -e * inverse % SECP_N), multiply(add, point, s * inverse % SECP_N))
    require(key is not None)
    return tohex(keccak(word(key[0]) + word(key[1]))[12:])


# Canonical JSON (RFC 8785) and the published schema.


def number_text(value):
    if isinstance(value, int):
        return str(value)
    if value == 0:
        return "0"
    digits, exponent = f"{value!r}", 0
    sign, digits = ("-", digits[1:]) if digits[0] == "-" else ("", digits)
    if "e" in digits:
        digits, power = digits.split("e")
        exponent = int(power)
    whole, _, fraction = digits.partition(".")
    fraction = "" if fraction == "0" and exponent == 0 and len(whole) > 0 and whole != "0" else fraction
    figures = (whole + fraction).lstrip("0")
    point = len(whole) + exponent - (len(whole + fraction) - len(figures))
    figures = figures.rstrip("0") or "0"
    if len(figures) <= point <= 21:
        return sign + figures + "0" * (point - len(figures))
    if 0 < point <= 21:
        return sign + figures[:point] + "." + figures[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + figures
    mantissa = figures[0] + ("." + figures[1:] if len(figures) > 1 else "")
    return f"{sign}{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def canonical(value):
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (int, float)):
        return number_text(value)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
    return "{" + ",".join(canonical(key) + ":" + canonical(value[key]) for key in keys) + "}"


def conforms(value, schema):
    if "$ref" in schema:
        target = SCHEMA
        for part in schema["$ref"].lstrip("#/").split("/"):
            target = target[part] if part else target
        return conforms(value, target)
    for alternatives in ("anyOf", "oneOf"):
        if alternatives in schema:
            return any(conforms(value, option) for option in schema[alternatives])
    if "const" in schema:
        return type(value) is type(schema["const"]) and value == schema["const"]
    if "enum" in schema:
        return value in schema["enum"]
    kind = schema.get("type")
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "null":
        return value is None
    if kind == "boolean":
        return isinstance(value, bool)
    if kind in ("number", "integer"):
        whole = kind == "number" or (is_number and value == int(value))
        return is_number and whole and schema.get("minimum", value) <= value <= schema.get("maximum", value)
    if kind == "string":
        return isinstance(value, str) and text_conforms(value, schema)
    if kind == "array":
        size = schema.get("minItems", 0), schema.get("maxItems", 1 << 30)
        return isinstance(value, list) and size[0] <= len(value) <= size[1] and all(conforms(v, schema["items"]) for v in value)
    if kind == "object":
        if not isinstance(value, dict) or not all(name in value for name in schema.get("required", ())):
            return False
        known, other = schema.get("properties", {}), schema.get("additionalProperties", True)
        if other is False and not all(name in known for name in value):
            return False
        return all(conforms(v, known.get(name, other if isinstance(other, dict) else {})) for name, v in value.items())
    return True


def text_conforms(value, schema):
    units = len(value.encode("utf-16-le", "surrogatepass")) // 2
    if not schema.get("minLength", 0) <= units <= schema.get("maxLength", 1 << 30):
        return False
    patterns = [schema["pattern"]] if "pattern" in schema else []
    patterns += [part["pattern"] for part in schema.get("allOf", ()) if "pattern" in part]
    for pattern in patterns:
        if pattern == r"^[^\p{C}]*$":
            if any(unicodedata.category(char).startswith("C") for char in value):
                return False
        elif not re.fullmatch(pattern.removesuffix("$"), value, re.ASCII):
            return False
    return True


def depth_of(text):
    deepest = depth = 0
    for char in re.sub(r'"(?:\\.|[^"\\])*"', "", text, flags=re.S):
        depth += (char in "[{") - (char in "]}")
        deepest = max(deepest, depth)
    return deepest


def parse(text):
    require(len(text.encode("utf-8", "surrogatepass")) <= 1 << 20 and depth_of(text) <= 32)
    try:
        receipt = json.loads(text, parse_constant=lambda _: require(False))
    except (ValueError, RecursionError):
        raise Refused() from None
    require(conforms(receipt, SCHEMA) and canonical(receipt) == text)
    return receipt


# The checks, by the names of docs/receipt.md.

BYTES = {"bool": 1, "uint8": 1, "int8": 1, "uint16": 2, "int16": 2, "uint32": 4, "int32": 4, "float32": 4}
SIGNED = {"int8", "int16", "int32", "float32"}


def count_of(spec):
    product = 1
    for dimension in spec["shape"]:
        product *= dimension
    return product


def pack_all(specs, tensors):
    require(len(specs) == len(tensors))
    signals = []
    for spec, tensor in zip(specs, tensors):
        require(all(spec[field] == tensor[field] for field in ("name", "dtype", "shape")))
        require(len(tensor["values"]) == count_of(spec))
        size = BYTES[spec["dtype"]]
        low = -(1 << (8 * size - 1)) if spec["dtype"] in SIGNED else 0
        step = 31 // size
        for start in range(0, len(tensor["values"]), step):
            data = b""
            for value in tensor["values"][start : start + step]:
                require(0 <= value - low < 1 << (8 * size))
                data += (value - low).to_bytes(size, "big")
            signals.append(int.from_bytes(data.ljust(31, b"\0"), "big"))
    return signals


def input_signals(manifest, opening):
    packed = pack_all(manifest["inputs"], opening["inputs"])
    if manifest["inputMode"] == "public":
        return packed
    require(opening["salt"] is not None)
    length = sum(count_of(spec) * BYTES[spec["dtype"]] for spec in manifest["inputs"])
    return [sponge([int.from_bytes(tag("verinfer/input/v1"), "big") >> 8, length, *packed, int(opening["salt"], 16)])]


def output_signals(manifest, outputs, salt):
    packed = pack_all(manifest["outputs"], outputs)
    if manifest["outputMode"] != "commitment":
        return packed
    if salt is None:
        return None
    name = int.from_bytes(tag("verinfer/output/v1"), "big") >> 8
    length = sum(count_of(spec) * BYTES[spec["dtype"]] for spec in manifest["outputs"])
    return [sponge([name, length, *packed, sponge([name, int(salt, 16)])])]


def output_start(manifest, signal_count):
    require(manifest["inputMode"] in ("committed", "public"))
    require(manifest["outputMode"] in ("packed", "commitment"))
    specs = [*manifest["inputs"], *manifest["outputs"]]
    require(0 < len(manifest["inputs"]) <= 64 and 0 < len(manifest["outputs"]) <= 64)
    require(all(isinstance(spec["name"], str) and spec["dtype"] in BYTES for spec in specs))
    require(all(0 < count_of(spec) <= 1 << 20 and count_of(spec) == int(count_of(spec)) for spec in specs))
    size = lambda spec: -(-count_of(spec) // (31 // BYTES[spec["dtype"]]))
    inputs = 1 if manifest["inputMode"] == "committed" else sum(map(size, manifest["inputs"]))
    outputs = 1 if manifest["outputMode"] == "commitment" else sum(map(size, manifest["outputs"]))
    require(1 + inputs + outputs == signal_count)
    return 1 + inputs


def signer_of(receipt, signals):
    statement = receipt["statement"]
    bare = canonical({**receipt, "opening": None, "signature": None}).encode()
    identity = keccak(unhex(statement["vkHash"]) + b"".join(map(word, signals)))
    kind = keccak(b"Receipt(bytes32 receiptDigest,bytes32 statementDigest)")
    domain = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    domain += keccak(b"verinfer receipt") + keccak(b"1") + word(int(statement["chainId"]))
    domain = keccak(domain + unhex(statement["contract"]).rjust(32, b"\0"))
    digest = keccak(b"\x19\x01" + domain + keccak(kind + keccak(bare) + identity))
    return recover(digest, unhex(receipt["signature"]))


@functools.cache
def trust_table():
    page = (pathlib.Path(__file__).parents[2] / "docs" / "receipt.md").read_text()
    rows = re.findall(r"^\| (.*) \|$", page.split("## The ten sentences")[1], re.M)
    return [row.split(" | ") for row in rows[1:] if not row.startswith("-")]


def trust_of(receipt):
    setup = receipt["model"]["setup"]
    is_ceremony = setup["class"] == "ceremony"
    lines = []
    for i, (name, field, value, sentence) in enumerate(trust_table()):
        applies = i > 1 or (i == 1) == is_ceremony
        if i == 1 and is_ceremony:
            value = value.replace("(n", f"({setup['contributorCount']}")
        lines.append({"id": name, "field": field, "value": value, "applies": applies, "sentence": sentence})
    return lines


def check_receipt(receipt, expected):
    statement, model, manifest = receipt["statement"], receipt["model"], receipt["manifest"]
    failed = []

    def check(name, condition):
        try:
            require(condition())
        except (Refused, KeyError, TypeError, ValueError, OverflowError, AttributeError):
            failed.append(name)

    key_bytes = unhex(receipt["verifyingKey"])
    check("vk-hash", lambda: tohex(keccak(key_bytes)) == model["vkHash"] == statement["vkHash"])
    check("manifest", lambda: tohex(keccak(canonical(manifest).encode())) == model["manifestDigest"])
    setup = model["setup"]
    parts = [tag("verinfer/model/v1"), *(unhex(model[k]) for k in ("modelHash", "circuitHash", "vkHash"))]
    parts += [word(2 if setup["class"] == "ceremony" else 1), word(setup["contributorCount"])]
    parts += [unhex(setup["transcriptDigest"]), unhex(model["compilerVersion"]), unhex(model["manifestDigest"])]
    zero = "0x" + "0" * 64
    named = ("modelHash", "circuitHash", "vkHash", "compilerVersion", "manifestDigest")
    check("model-id", lambda: zero not in [model[k] for k in named] and tohex(keccak(b"".join(parts))) == statement["modelId"])
    if "modelId" in expected:
        check("model", lambda: expected["modelId"].lower() == statement["modelId"])
    if "vkHash" in expected:
        check("key", lambda: expected["vkHash"].lower() == statement["vkHash"])
    signals = [int(text) for text in receipt["publicSignals"]]
    check("signals", lambda: all(signal < R for signal in signals))
    context = [tag(statement["domainTag"]), word(1), word(int(statement["chainId"])), unhex(statement["contract"]).rjust(32, b"\0")]
    context += [unhex(statement[k]) for k in ("requestId", "modelId", "vkHash")]
    context += [unhex(statement[k]).rjust(32, b"\0") for k in ("operator", "payee")] + [word(int(statement["deadline"]))]
    is_canonical = "signals" not in failed
    check("ctx", lambda: is_canonical and int.from_bytes(keccak(b"".join(context)), "big") >> 8 == signals[0])
    if "requestId" in expected:
        check("request", lambda: expected["requestId"].lower() == statement["requestId"])
    request = receipt["request"]
    if request is not None:
        terms = [tag("verinfer/request/v1"), unhex(request["requester"]).rjust(32, b"\0"), word(int(request["nonce"]))]
        terms += [unhex(statement["modelId"]), word(int(statement["deadline"]))]
        check("request-id", lambda: tohex(keccak(b"".join(terms))) == statement["requestId"])
    if statement["domainTag"] == "verinfer/settlement/v1":
        check("chain", lambda: str(expected.get("chainId")) == statement["chainId"])
        check("contract", lambda: expected.get("contract", "").lower() == statement["contract"])
    else:
        blank = statement["chainId"] == statement["deadline"] == "0" and int(statement["contract"], 16) == 0
        check("chain", lambda: blank and "chainId" not in expected and "contract" not in expected)
    if "operator" in expected:
        check("operator", lambda: expected["operator"].lower() == statement["operator"])

    start = []
    check("layout", lambda: start.append(output_start(manifest, len(signals))) is None)
    opening, outputs = receipt["opening"], receipt["outputs"]
    if start:
        given = opening or expected.get("input")
        salt = given["salt"] if given else None
        check("outputs", lambda: output_signals(manifest, outputs, salt) in (None, signals[start[0] :]))
        if opening is not None:
            check("opening", lambda: input_signals(manifest, opening) == signals[1 : start[0]])
        if "input" in expected:
            check("input", lambda: input_signals(manifest, expected["input"]) == signals[1 : start[0]])
    if receipt["signature"] is None:
        check("signature", lambda: expected.get("allowUnsigned", False))
    else:
        check("signature", lambda: signer_of(receipt, signals) == statement["operator"])
    check("trust", lambda: receipt["trust"] == trust_of(receipt))
    check("key-safe", lambda: len(read_key(key_bytes)[4]) == len(signals) + 1)
    if "key-safe" not in failed and is_canonical:
        check("proof", lambda: proof_holds(key_bytes, tuple(signals), unhex(receipt["proof"])) is None)
    return failed


def main():
    for raw in sys.stdin:
        case = json.loads(raw)
        try:
            failed = check_receipt(parse(case["text"]), case["expectations"])
        except Refused:
            failed = ["form"]
        print(json.dumps({"valid": not failed, "failed": failed}), flush=True)


if __name__ == "__main__":
    main()
