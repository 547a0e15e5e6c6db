"""The service that a team would write itself: sentence-transformers and scikit-learn behind FastAPI.

It answers the same three labels (intent, sentiment, spam) from the same encoder weights, with
logistic regressions fitted on the same examples as our heads. Blocking work goes to FastAPI's
thread pool, as its documentation advises. Prints the port on standard output when it is ready and
ends when its standard input ends.

    python3 classify_service.py MODEL_DIR TAXONOMY.toml SENTIMENT.toml SPAM.toml
"""

import contextlib
import socket
import sys
import threading
import tomllib
from pathlib import Path

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules
from sklearn.linear_model import LogisticRegression


def load(folder):
    """The encoder from a folder that holds weights and tokenizer only: mean pooling, length one."""
    encoder = modules.Transformer(folder, max_seq_length=256)
    pooling = modules.Pooling(encoder.get_embedding_dimension(), pooling_mode="mean")
    return SentenceTransformer(modules=[encoder, pooling, modules.Normalize()], device="cpu")


def examples(path):
    """Texts and labels of an example file: a list of intents, or a table of lists."""
    data = tomllib.loads(Path(path).read_text())
    if "intent" in data:
        pairs = [(text, intent["name"]) for intent in data["intent"] for text in intent["examples"]]
    else:
        pairs = [
            (text, name)
            for name, part in data.items()
            for text in (part if isinstance(part, list) else part.get("examples", []))
        ]
    return zip(*pairs)


class Message(BaseModel):
    text: str


class Batch(BaseModel):
    items: list[Message]


def service(folder, files):
    encoder = load(folder)
    heads = {}
    for name, path in files.items():
        texts, labels = examples(path)
        rows = encoder.encode(list(texts), batch_size=32)
        heads[name] = LogisticRegression(max_iter=1000).fit(rows, labels)

    app = FastAPI()

    def classified(texts):
        rows = encoder.encode(texts, batch_size=32, show_progress_bar=False)
        answers = [{} for _ in texts]
        for name, head in heads.items():
            for answer, chances in zip(answers, head.predict_proba(rows)):
                best = int(chances.argmax())
                answer[name] = {"label": str(head.classes_[best]), "confidence": float(chances[best])}
        return answers

    @app.post("/v1/classify")
    def classify(message: Message):
        return classified([message.text])[0]

    @app.post("/v1/classify/batch")
    def batch(ask: Batch):
        return classified([item.text for item in ask.items])

    return app


def main():
    folder, taxonomy, sentiment, spam = sys.argv[1:]
    torch.set_grad_enabled(False)
    app = service(folder, {"intent": taxonomy, "sentiment": sentiment, "spam": spam})
    with contextlib.closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(256)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))

        def watch():
            sys.stdin.read()
            server.should_exit = True

        threading.Thread(target=watch, daemon=True).start()
        print(listener.getsockname()[1], flush=True)
        server.run(sockets=[listener])


if __name__ == "__main__":
    main()
