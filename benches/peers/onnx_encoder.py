"""The same encoder on ONNX Runtime, built from the same weights: the peer that ours is measured by.

The graph is put together with the `onnx` package alone (no torch, no export), twice: from standard
operators, which the runtime fuses by itself, and from its own fused attention, GELU and layer-norm
operators. The faster of the two is the peer. Prints one line of JSON.

    python3 onnx_encoder.py MODEL_DIR TEXTS.jsonl [--embeddings OURS.jsonl] [--seconds 3] [--threads 1] [--int8]

MODEL_DIR holds model.safetensors and tokenizer.json; TEXTS has one JSON string a line; OURS has one
JSON array a line, our embedding of the text on the same line. Texts are cut at 256 tokens; the cosine
is taken over those that are not.
"""

import argparse
import json
import struct
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

HEADS, LAYERS, HIDDEN, WIDE, EPSILON, WINDOW = 12, 6, 384, 1536, 1e-12, 256
SIZE = HIDDEN // HEADS


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, info in header.items():
        if info["dtype"] == "F32":
            start, end = info["data_offsets"]
            values = np.frombuffer(data[8 + length + start : 8 + length + end], dtype="<f4")
            tensors[name] = values.reshape(info["shape"])
    return tensors


class Builder:
    """Collects nodes and constants; each method returns the name of its result."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, value):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def op(self, kind, inputs, outputs=1, domain="", **attributes):
        names = [f"n{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, domain=domain, **attributes))
        return names[0]

    def linear(self, x, weight, bias):
        product = self.op("MatMul", [x, self.constant(weight.T)])
        return self.op("Add", [product, self.constant(bias)])

    def norm(self, x, scale, shift):
        inputs = [x, self.constant(scale), self.constant(shift)]
        return self.op("LayerNormalization", inputs, axis=-1, epsilon=EPSILON)


def plain_layer(b, x, mask, w):
    """One layer from standard operators. `mask` is added to the scores."""

    def heads(name, order):
        y = b.linear(x, w(f"attention.self.{name}.weight"), w(f"attention.self.{name}.bias"))
        y = b.op("Reshape", [y, b.constant(np.array([0, 0, HEADS, SIZE]))])
        return b.op("Transpose", [y], perm=order)

    q, k, v = heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]), heads("value", [0, 2, 1, 3])
    scores = b.op("Div", [b.op("MatMul", [q, k]), b.constant(np.float32(SIZE**0.5))])
    weights = b.op("Softmax", [b.op("Add", [scores, mask])], axis=-1)
    context = b.op("Transpose", [b.op("MatMul", [weights, v])], perm=[0, 2, 1, 3])
    context = b.op("Reshape", [context, b.constant(np.array([0, 0, HIDDEN]))])
    y = b.linear(context, w("attention.output.dense.weight"), w("attention.output.dense.bias"))
    x = b.norm(b.op("Add", [y, x]), w("attention.output.LayerNorm.weight"), w("attention.output.LayerNorm.bias"))
    y = b.op("Gelu", [b.linear(x, w("intermediate.dense.weight"), w("intermediate.dense.bias"))])
    y = b.linear(y, w("output.dense.weight"), w("output.dense.bias"))
    return b.norm(b.op("Add", [y, x]), w("output.LayerNorm.weight"), w("output.LayerNorm.bias"))


def fused_layer(b, x, mask, w):
    """The same from the runtime's own operators. `mask` holds 1 for tokens, 0 for padding."""

    def skip_norm(y, residual, norm, bias):
        inputs = [y, residual, b.constant(w(f"{norm}.weight")), b.constant(w(f"{norm}.bias")), b.constant(bias)]
        return b.op("SkipLayerNormalization", inputs, domain="com.microsoft", epsilon=EPSILON)

    names = ["query", "key", "value"]
    weight = np.concatenate([w(f"attention.self.{n}.weight") for n in names]).T
    bias = np.concatenate([w(f"attention.self.{n}.bias") for n in names])
    inputs = [x, b.constant(weight), b.constant(bias), mask]
    context = b.op("Attention", inputs, domain="com.microsoft", num_heads=HEADS)
    y = b.op("MatMul", [context, b.constant(w("attention.output.dense.weight").T)])
    x = skip_norm(y, x, "attention.output.LayerNorm", w("attention.output.dense.bias"))
    y = b.op("MatMul", [x, b.constant(w("intermediate.dense.weight").T)])
    y = b.op("BiasGelu", [y, b.constant(w("intermediate.dense.bias"))], domain="com.microsoft")
    y = b.op("MatMul", [y, b.constant(w("output.dense.weight").T)])
    return skip_norm(y, x, "output.LayerNorm", w("output.dense.bias"))


def build(tensors, fused):
    b = Builder()
    words = b.op("Gather", [b.constant(tensors["embeddings.word_embeddings.weight"]), "ids"])
    table = tensors["embeddings.position_embeddings.weight"] + tensors["embeddings.token_type_embeddings.weight"][0]
    length = b.op("Shape", ["ids"], start=1, end=2)
    start, axes = b.constant(np.array([0])), b.constant(np.array([0]))
    positions = b.op("Slice", [b.constant(table), start, length, axes])
    x = b.op("Add", [words, positions])
    x = b.norm(x, tensors["embeddings.LayerNorm.weight"], tensors["embeddings.LayerNorm.bias"])
    real = b.op("Cast", ["mask"], to=TensorProto.FLOAT)
    if fused:
        mask = b.op("Cast", ["mask"], to=TensorProto.INT32)
    else:
        absent = b.op("Mul", [b.op("Sub", [b.constant(np.float32(1)), real]), b.constant(np.float32(-1e9))])
        mask = b.op("Unsqueeze", [absent, b.constant(np.array([1, 2]))])
    for layer in range(LAYERS):
        step = fused_layer if fused else plain_layer
        x = step(b, x, mask, lambda name, layer=layer: tensors[f"encoder.layer.{layer}.{name}"])
    column = b.op("Unsqueeze", [real, b.constant(np.array([2]))])
    total = b.op("ReduceSum", [b.op("Mul", [x, column]), b.constant(np.array([1]))], keepdims=0)
    # The mean's divisor falls out of the normalisation to length one.
    norm = b.op("ReduceL2", [total, b.constant(np.array([1]))], keepdims=1)
    b.nodes.append(helper.make_node("Div", [total, norm], ["embedding"]))
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in ("ids", "mask")]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", HIDDEN])]
    graph = helper.make_graph(b.nodes, "encoder", inputs, outputs, b.constants)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def session(path, threads):
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run(encoder, rows):
    """Embeds rows of token ids, padded to the longest of them."""
    longest = max(map(len, rows))
    ids, mask = np.zeros((2, len(rows), longest), dtype=np.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)], mask[i, : len(row)] = row, 1
    return encoder.run(None, {"ids": ids, "mask": mask})[0]


def texts_per_second(encoder, rows, batch, seconds):
    batches = [rows[i : i + batch] for i in range(0, len(rows) - batch + 1, batch)]
    for some in batches[:3]:
        run(encoder, some)
    done, start = 0, time.perf_counter()
    while True:
        for some in batches:
            run(encoder, some)
            done += len(some)
            elapsed = time.perf_counter() - start
            if elapsed >= seconds:
                return round(done / elapsed, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--embeddings", type=Path, help="our embeddings of the same texts")
    parser.add_argument("--seconds", type=float, default=3.0, help="time for each figure; 0 skips timing")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--int8", action="store_true", help="also time the runtime's own dynamic int8")
    args = parser.parse_args()

    tokenizer = Tokenizer.from_file(str(args.model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    texts = [json.loads(line) for line in args.texts.read_text().splitlines()]
    whole = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    rows = [row[: WINDOW - 1] + row[-1:] if len(row) > WINDOW else row for row in whole]
    tensors = read_safetensors(args.model / "model.safetensors")
    report = {
        "peer": f"onnxruntime {ort.__version__}",
        "threads": args.threads,
        "texts": len(rows),
        "mean_tokens": round(sum(map(len, rows)) / len(rows), 1),
    }
    with tempfile.TemporaryDirectory() as scratch:
        encoders = {}
        for name, fused in (("plain", False), ("fused", True)):
            path = Path(scratch) / f"{name}.onnx"
            onnx.save(build(tensors, fused), path)
            encoders[name] = session(path, args.threads)
        if args.int8:
            from onnxruntime.quantization import QuantType, quantize_dynamic

            path = Path(scratch) / "int8.onnx"
            quantize_dynamic(
                Path(scratch) / "plain.onnx",
                path,
                op_types_to_quantize=["MatMul"],
                per_channel=True,
                weight_type=QuantType.QInt8,
                extra_options={"MatMulConstBOnly": True},
            )
            encoders["int8"] = session(path, args.threads)
        if args.embeddings:
            ours = [np.array(json.loads(line)) for line in args.embeddings.read_text().splitlines()]
            if len(ours) != len(rows):
                sys.exit(f"{args.embeddings} has {len(ours)} lines, {args.texts} has {len(rows)}")
            fit = [i for i, row in enumerate(whole) if len(row) <= WINDOW]
            for name, encoder in encoders.items():
                cosines = [float(run(encoder, [rows[i]])[0] @ ours[i]) for i in fit]
                report[f"cosine_{name}"] = {
                    "texts": len(fit),
                    "mean": round(sum(cosines) / len(cosines), 6),
                    "min": round(min(cosines), 6),
                }
        if args.seconds > 0:
            for name, encoder in encoders.items():
                speeds = {b: texts_per_second(encoder, rows, b, args.seconds) for b in (1, 32)}
                report[f"texts_per_second_{name}"] = {f"batch_{b}": speed for b, speed in speeds.items()}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
