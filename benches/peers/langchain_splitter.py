"""LangChain's recursive splitter on the same documents: the peer that our chunker is measured by.

    python3 langchain_splitter.py DOCUMENTS.jsonl REPEATS

DOCUMENTS has one JSON string a line; the whole list is cut REPEATS times. Prints one line of JSON.
"""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

from langchain_text_splitters import RecursiveCharacterTextSplitter

documents = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
repeats = int(sys.argv[2])
splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200)
size = sum(len(d.encode()) for d in documents) * repeats
splitter.split_text(documents[0])
chunks, start = 0, time.perf_counter()
for _ in range(repeats):
    for document in documents:
        chunks += len(splitter.split_text(document))
seconds = time.perf_counter() - start
peer = f"langchain-text-splitters {version('langchain-text-splitters')}"
print(json.dumps({"peer": peer, "mb_per_s": round(size / 1e6 / seconds, 2), "chunks": chunks}))
