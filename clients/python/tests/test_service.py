"""Against a running service: COUNTERSIGN_URL and COUNTERSIGN_KEY (every scope, a person's)."""

import itertools
import os
import pathlib
import sys
import time
import unittest
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from countersign_client import Client, Conflict, NotFound, Unauthorized, Unprocessable  # noqa: E402

QUESTION = "How long do I have to return an item?"
ARTICLE = "You can return any unworn item within 30 days of delivery. Returns are free."


def within(seconds, ask):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = ask()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come")


class Service(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.url, cls.key = os.environ["COUNTERSIGN_URL"], os.environ["COUNTERSIGN_KEY"]
        cls.client = Client(cls.url, cls.key)
        cls.addClassCleanup(cls.client.close)

    def test_classify_one_batch_and_stream(self):
        one = self.client.classify("Where is my parcel?", outputs=["intent", "language"])
        self.assertGreater(one["intent"]["confidence"], 0)
        self.assertNotIn("sentiment", one)
        texts = [f"Where is parcel {i}?" for i in range(300)]
        batch = self.client.classify_batch([*texts, {"id": "bad"}], outputs=["urgency"])
        self.assertEqual(len(batch), 301)
        self.assertEqual(batch[300]["error"]["code"], "bad_item")
        self.assertEqual((batch[300]["id"], batch[300]["index"]), ("bad", 300))
        items = ({"id": i, "text": t} for i, t in enumerate(texts))
        stream = self.client.classify_stream(items, outputs=["intent"])
        self.assertEqual([a["id"] for a in stream], list(range(300)))

    def test_a_stream_that_is_left_early_ends(self):
        endless = ({"id": i, "text": "Where is my parcel?"} for i in itertools.count())
        stream = self.client.classify_stream(endless, outputs=["intent"])
        self.assertEqual(next(stream)["id"], 0)
        stream.close()
        with self.assertRaises(Unprocessable) as caught:
            list(self.client.classify_stream(["x"], taxonomy="nowhere"))
        self.assertEqual(caught.exception.code, "unknown_taxonomy")

        def broken():
            yield "one"
            raise KeyError("mine")

        with self.assertRaises(KeyError):
            list(self.client.classify_stream(broken()))

    def test_mask(self):
        masked = self.client.mask("I am robin@example.com", values=True)
        self.assertEqual(masked["masked"], "I am <EMAIL_1>")
        self.assertEqual(masked["spans"][0]["text"], "robin@example.com")
        document = self.client.mask_json({"mail": "robin@example.com", "n": 1})
        self.assertEqual(document["masked"], {"mail": "<EMAIL_1>", "n": 1})
        rows = self.client.mask_batch([{"text": "a@example.com"}, {"id": 7}])
        self.assertEqual((rows[1]["id"], rows[1]["error"]["code"]), (7, "bad_item"))

    def test_messages_reviews_and_knowledge(self):
        run = uuid.uuid4().hex
        source = f"returns-{run}.md"
        put = self.client.knowledge.put(source, ARTICLE, title="Returns")
        self.assertTrue(put["changed"])
        self.assertFalse(self.client.knowledge.put(source, ARTICLE, title="Returns")["changed"])
        self.assertIn(put["id"], [a["id"] for a in self.client.knowledge.list(page=1)])
        message = {
            "channel": "chat",
            "external_id": f"m-{run}",
            "thread": f"t-{run}",
            "from": {"address": f"robin-{run}"},
            "text": QUESTION,
        }
        taken = self.client.messages.create(message, idempotency_key=run)
        self.assertEqual(taken["result"], "received")
        self.assertEqual(self.client.messages.create(message, idempotency_key=run), taken)
        self.assertEqual(self.client.messages.create(message)["result"], "duplicate")
        with self.assertRaises(Conflict) as caught:
            self.client.messages.create({**message, "text": "another"})
        self.assertEqual(caught.exception.code, "message_conflict")
        self.assertEqual(caught.exception.problem["id"], taken["id"])
        self.assertTrue(caught.exception.request_id)

        def summary():
            mine = (r for r in self.client.reviews.list(page=1) if r["message"] == taken["id"])
            return next(mine, None)

        review = self.client.reviews.get(within(60, summary)["id"])
        self.assertIn("30 days", review["draft"]["text"])
        self.assertTrue(self.client.reviews.evidence(review["id"])["passages"])
        self.assertTrue(self.client.reviews.claim(review["id"])["claimed_by"])
        self.assertIsNone(self.client.reviews.release(review["id"])["claimed_by"])
        edited = self.client.reviews.edit(review["id"], "Within 30 days.", review["revision"] + 2)
        with self.assertRaises(Conflict) as caught:
            self.client.reviews.approve(review["id"], review["digest"])
        self.assertEqual(caught.exception.code, "digest_changed")
        approved = self.client.reviews.approve(review["id"], edited["digest"])
        self.assertIn(approved["state"], ["approved", "held"])
        self.assertTrue(list(self.client.threads.list()))
        self.client.messages.delete(taken["id"])
        self.assertEqual(self.client.messages.get(taken["id"])["state"], "deleted")
        self.client.knowledge.delete(put["id"])
        with self.assertRaises(NotFound):
            self.client.knowledge.get(put["id"])

    def test_learning(self):
        learning = self.client.learning
        self.assertEqual(learning.models(), [])
        with self.assertRaises(NotFound):
            learning.model("00000000-0000-7000-8000-000000000000")
        with self.assertRaises(NotFound):
            learning.promote("00000000-0000-7000-8000-000000000000", "a trial")
        with self.assertRaises(Conflict) as caught:
            learning.roll_back("intent", builtin=True)
        self.assertEqual(caught.exception.code, "nothing_promoted")
        topics = learning.topics(least=1000)
        self.assertEqual(topics["items"], [])
        self.assertGreaterEqual(topics["messages"], 0)

    def test_a_wrong_key(self):
        with Client(self.url, "cs_live_wrong") as wrong, self.assertRaises(Unauthorized) as caught:
            wrong.mask("x")
        self.assertEqual(caught.exception.code, "unauthorized")


if __name__ == "__main__":
    unittest.main()
