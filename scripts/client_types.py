#!/usr/bin/env python3
"""Writes the clients' types from docs/openapi.json (`--check`: only says whether they are as written).

The subset of JSON Schema that our document uses; anything else ends with an error, so that no type is
left out in silence.
"""

import json
import keyword
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCHEMAS = json.loads((ROOT / "docs/openapi.json").read_text())["components"]["schemas"]
NOTE = "Made from docs/openapi.json by scripts/client_types.py; do not edit."


def first_line(schema):
    return " ".join(schema.get("description", "").split("\n\n")[0].split())


def name_of(reference):
    return reference.rsplit("/", 1)[1]


def variants(schema):
    return schema.get("oneOf") or schema.get("anyOf")


class Python:
    path = ROOT / "clients/python/countersign_client/types.py"

    def __init__(self):
        self.done = []

    def type(self, s):
        if s is True or not {"$ref", "type", "oneOf", "anyOf", "allOf", "enum"} & set(s):
            return "Any"
        if "$ref" in s:
            return name_of(s["$ref"])
        if "enum" in s:
            return f"Literal[{', '.join(repr(v) for v in s['enum'])}]"
        if variants(s):
            return " | ".join(dict.fromkeys(self.type(v) for v in variants(s)))
        if "allOf" in s:
            raise SystemExit(f"allOf inside a type: {s}")
        kinds = s["type"] if isinstance(s["type"], list) else [s["type"]]
        return " | ".join(dict.fromkeys(self.plain(k, s) for k in kinds))

    def plain(self, kind, s):
        if kind == "array":
            return f"list[{self.type(s['items'])}]"
        if kind == "object":
            more = s.get("additionalProperties", True)
            if s.get("properties"):
                return "dict[str, Any]"
            return "dict[str, Any]" if more in (True, False) else f"dict[str, {self.type(more)}]"
        return {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}[kind]

    def fields(self, s):
        for field, rule in s.get("properties", {}).items():
            kind = self.type(rule)
            yield field, kind if field in s.get("required", []) else f"NotRequired[{kind}]", first_line(rule)

    def declare(self, name, s):
        doc = first_line(s)
        if "allOf" in s:
            bases = [name_of(p["$ref"]) for p in s["allOf"] if "$ref" in p]
            own = {"properties": {}, "required": []}
            for p in s["allOf"]:
                own["properties"] |= p.get("properties", {})
                own["required"] += p.get("required", [])
            return self.typed_dict(name, doc, own, bases)
        if s.get("type") == "object" and s.get("properties"):
            return self.typed_dict(name, doc, s, [])
        if s.get("type") == "object" and s.get("additionalProperties") is False:
            return self.typed_dict(name, doc, s, [])
        text = f"{name}: TypeAlias = {self.quoted(self.type(s))}\n"
        return text + (f'"""{doc}"""\n' if doc else "")

    def quoted(self, kind):
        return json.dumps(kind)

    def typed_dict(self, name, doc, s, bases):
        fields = list(self.fields(s))
        if any(keyword.iskeyword(f) or not f.isidentifier() for f, *_ in fields):
            inner = "".join(f"        {json.dumps(f)}: {json.dumps(k)},\n" for f, k, _ in fields)
            return f'{name} = TypedDict(\n    "{name}",\n    {{\n{inner}    }},\n)\n"""{doc}"""\n'
        text = f'class {name}({", ".join(bases) or "TypedDict"}):\n    """{doc or name}"""\n'
        for field, kind, about in fields:
            text += f"\n    {field}: {kind}\n" + (f'    """{about}"""\n' if about else "")
        return text

    def order(self):
        """Bases before what is made from them."""
        based = [n for n, s in SCHEMAS.items() if "allOf" in s]
        return [n for n in SCHEMAS if n not in based] + based

    def file(self):
        head = (
            f'"""Types of the API. {NOTE}"""\n\nfrom __future__ import annotations\n\n'
            "from typing import Any, Literal, NotRequired, TypeAlias, TypedDict\n"
        )
        return "\n\n".join([head.rstrip("\n") + "\n"] + [self.declare(n, SCHEMAS[n]) for n in self.order()])


class TypeScript:
    path = ROOT / "clients/typescript/src/types.d.ts"

    def type(self, s):
        if s is True or not {"$ref", "type", "oneOf", "anyOf", "allOf", "enum"} & set(s):
            return "unknown"
        if "$ref" in s:
            return name_of(s["$ref"])
        if "enum" in s:
            return " | ".join(json.dumps(v) for v in s["enum"])
        if variants(s):
            return " | ".join(dict.fromkeys(self.type(v) for v in variants(s)))
        if "allOf" in s:
            return " & ".join(self.type(v) for v in s["allOf"])
        kinds = s["type"] if isinstance(s["type"], list) else [s["type"]]
        return " | ".join(dict.fromkeys(self.plain(k, s) for k in kinds))

    def plain(self, kind, s):
        if kind == "array":
            return f"Array<{self.type(s['items'])}>"
        if kind == "object":
            if s.get("properties"):
                return self.fields(s)
            more = s.get("additionalProperties", True)
            if more is False:
                return "Record<string, never>"
            return f"Record<string, {'unknown' if more is True else self.type(more)}>"
        return {"integer": "number"}.get(kind, kind)

    def fields(self, s):
        text = "{\n"
        for field, rule in s["properties"].items():
            about = first_line(rule)
            text += f"  /** {about} */\n" if about else ""
            text += f"  {field if field.isidentifier() else json.dumps(field)}{'' if field in s.get('required', []) else '?'}: {self.type(rule)};\n"
        return text + "}"

    def file(self):
        text = f"// {NOTE}\n"
        for name, s in SCHEMAS.items():
            doc = first_line(s)
            text += "\n" + (f"/** {doc} */\n" if doc else "") + f"export type {name} = {self.type(s)};\n"
        return text


def main():
    old = []
    for language in (Python(), TypeScript()):
        text = language.file()
        if "--check" not in sys.argv:
            language.path.write_text(text)
        elif not language.path.exists() or language.path.read_text() != text:
            old.append(str(language.path.relative_to(ROOT)))
    if old:
        raise SystemExit(f"old: {', '.join(old)}; run scripts/client_types.py")


main()
