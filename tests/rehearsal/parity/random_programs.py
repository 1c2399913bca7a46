"""Random small programs over two to four steps: resources, options, and what changes from step to step.

A program is one function. Several programs share one stack, each with its own prefix of names, because a run
of an engine costs seconds whatever is in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

PRELUDE = """\
import pulumi
from pulumi import Alias, CustomTimeouts, Output, ResourceHook, ResourceHookBinding, ResourceOptions

BUCKET, PET = "gcp:storage/bucket:Bucket", "random:index/randomPet:RandomPet"
PASSWORD, CONFIG = "random:index/randomPassword:RandomPassword", "kubernetes:core/v1:ConfigMap"


class Bucket(pulumi.CustomResource):
    name: Output[str]
    url: Output[str]

    def __init__(self, called, opts=None, **inputs):
        super().__init__(BUCKET, called, {"location": "EU", "name": None, "url": None, **inputs}, opts)


class Pet(pulumi.CustomResource):
    length: Output[int]

    def __init__(self, called, opts=None, **inputs):
        super().__init__(PET, called, {"length": 2, **inputs}, opts)


class Password(pulumi.CustomResource):
    result: Output[str]

    def __init__(self, called, opts=None, **inputs):
        super().__init__(PASSWORD, called, {"length": 12, "result": None, **inputs}, opts)


class Map(pulumi.CustomResource):
    metadata: Output[dict]

    def __init__(self, called, opts=None, **inputs):
        fixed = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": None}
        super().__init__(CONFIG, called, {**fixed, **inputs}, opts)


class Box(pulumi.ComponentResource):
    def __init__(self, called, opts=None, outputs=None, **inputs):
        super().__init__("toys:index:Box", called, inputs, opts)
        if outputs is not None:
            self.register_outputs(outputs)


class Provider(pulumi.ProviderResource):
    def __init__(self, called, opts=None, **inputs):
        super().__init__("gcp", called, inputs, opts)


def louder(args):
    if args.type_ == BUCKET:
        return pulumi.ResourceTransformResult({**args.props, "forceDestroy": True}, args.opts)
    return None


hook = ResourceHook("hook", lambda args: None)
"""


@dataclass(frozen=True)
class Item:
    """One resource of a program at one step: its class, inputs and options as source text."""

    name: str
    kind: str
    inputs: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    prefix: str = ""
    renamed_from: str = ""
    declared: bool = True

    def source(self, variable: str) -> str:
        options = dict(self.options)
        if self.renamed_from:
            options["aliases"] = f"[Alias(name={self.renamed_from!r})]"
        listed = ", ".join(f"{key}={value}" for key, value in options.items())
        inputs = "".join(f", {key}={value}" for key, value in self.inputs.items())
        return f"{variable} = {self.kind}({self.name!r}, ResourceOptions({listed}){inputs})"


def source(seed: int, indexes: range, step: int) -> str:
    """The program of one stack at `step`: those of `indexes` one after the other."""
    parts = [PRELUDE]
    for index in indexes:
        steps = program(seed, index)
        items = enumerate(steps[min(step, len(steps) - 1)])
        lines = [f"    {item.source(f'r{at}')}" for at, item in items if item.declared]
        body = "\n".join(lines or ["    pass"])
        parts.append(f"def program_{index}():\n{body}\n\n\nprogram_{index}()\n")
    return "\n\n".join(parts)


def program(seed: int, index: int) -> list[list[Item]]:
    """The resources of program `index` at each of its steps; a function of its arguments alone."""
    random = Random(f"{seed}/{index}")
    first = [_item(random, index, at) for at in range(random.randint(2, 5))]
    first = [_with_options(random, item, first[:at], at) for at, item in enumerate(first)]
    steps = [first]
    for step in range(1, random.randint(2, 4)):
        steps.append(_next(random, steps[-1], step))
    return steps


def _item(random: Random, index: int, at: int) -> Item:
    kind = random.choice(["Bucket", "Bucket", "Pet", "Pet", "Password", "Map", "Box", "Provider"])
    prefix = f"v{index}-{at}"
    return Item(f"p{index}-{kind.lower()}{at}", kind, _inputs(random, kind, prefix), prefix=prefix)


def _inputs(random: Random, kind: str, prefix: str) -> dict[str, str]:
    """Random inputs; a text may be a secret. Texts with one `prefix` are of one resource."""
    text = f'"{prefix}-{random.randint(0, 3)}"'
    if random.random() < 0.2:
        text = f"Output.secret({text})"
    match kind:
        case "Bucket":
            found = {"labels": f'{{"a": {text}, "b": "1"}}'}
            if random.random() < 0.3:
                found["location"] = f'"{random.choice(["EU", "US"])}"'
            if random.random() < 0.3:
                count = random.randint(1, 3)
                rules = [f'{{"methods": ["GET"], "maxAgeSeconds": {random.choice([60, 3600])}}}'] * count
                found["cors"] = f"[{', '.join(rules)}]"
            return found
        case "Pet":
            return {"keepers": f'{{"k": {text}}}'} | ({"length": "3"} if random.random() < 0.2 else {})
        case "Password":
            return {"keepers": f'{{"k": {text}}}'}
        case "Map":
            return {"data": f'{{"k": {text}}}'}
        case "Provider":
            return {"project": f'"{random.choice(["ours", "theirs"])}"'}
        case _:
            found = {"a": text}
            if random.random() < 0.5:
                found["outputs"] = f'{{"o": {text}}}'
            return found


def _with_options(random: Random, item: Item, before: list[Item], at: int) -> Item:
    """`item` with random options; it may refer to the resources `before` it."""
    options: dict[str, str] = {}
    inputs = dict(item.inputs)
    custom = [n for n, other in enumerate(before) if other.kind not in ("Box", "Provider")]
    boxes = [n for n, other in enumerate(before) if other.kind == "Box"]
    clouds = [n for n, other in enumerate(before) if other.kind == "Provider"]

    def chance(share: float) -> bool:
        return random.random() < share

    if boxes and chance(0.4):
        options["parent"] = f"r{random.choice(boxes)}"
    if custom and chance(0.3):  # a component would bring its children along, this resource perhaps among them
        options["depends_on"] = f"[r{random.choice(custom)}]"
    if custom and chance(0.2) and item.kind != "Provider":
        options["deleted_with"] = f"r{random.choice(custom)}"
    if custom and chance(0.2) and item.kind not in ("Box", "Provider"):
        options["replace_with"] = f"[r{random.choice(custom)}]"
    if chance(0.15):
        options["retain_on_delete"] = "True"
    if chance(0.1):
        options["hide_diffs"] = '["labels"]'
    if chance(0.1):
        options["custom_timeouts"] = f'CustomTimeouts(create="{random.randint(1, 9)}m", delete="30s")'
    if chance(0.1):
        options["hooks"] = "ResourceHookBinding(after_create=[hook], before_update=[hook])"
    if item.kind == "Bucket":
        if chance(0.3):
            path = random.choice(["labels.a", "labels", "location", "cors[*].maxAgeSeconds", "labels.*"])
            options["ignore_changes"] = f'["{path}"]'
        if chance(0.2):
            options["replace_on_changes"] = f'["{random.choice(["labels", "labels.b", "*"])}"]'
        if chance(0.25) and not options.keys() - {"parent", "depends_on", "protect", "ignore_changes"}:
            options["transforms"] = "[louder]"
        if clouds and chance(0.5):
            options["provider"] = f"r{random.choice(clouds)}"
        pets = [n for n in custom if before[n].kind == "Pet"]
        if pets and chance(0.4):
            inputs["labels"] = f'{{"a": r{random.choice(pets)}.id, "b": "1"}}'
    if item.kind in ("Bucket", "Pet", "Map") and chance(0.2):
        options["delete_before_replace"] = random.choice(["True", "False"])
    if item.kind in ("Pet", "Bucket") and chance(0.15):
        options["replacement_trigger"] = f'"{random.randint(0, 2)}"'
    if item.kind == "Password" and chance(0.3):
        options["additional_secret_outputs"] = '["keepers"]'
    return replace(item, options=options, inputs=inputs)


def _next(random: Random, items: list[Item], step: int) -> list[Item]:
    """The next step: some inputs and options change, some resources go, come back or get another name."""
    used = {name for item in items if item.declared for name in _references(item)}
    found = []
    for at, item in enumerate(items):
        draw = random.random()
        item = replace(item, renamed_from="")
        if draw < 0.35:
            fresh = _inputs(random, item.kind, item.prefix)
            kept = {k: v for k, v in item.inputs.items() if ".id" in v}
            item = replace(item, inputs=fresh | kept)
        elif draw < 0.5:
            item = _with_options(random, item, items[:at], at)
        elif draw < 0.6 and f"r{at}" not in used:
            item = replace(item, declared=not item.declared)
        elif draw < 0.68 and item.declared:
            item = replace(item, name=f"{item.name}-{step}", renamed_from=item.name)
        found.append(item)
    return _closed(found)


def _references(item: Item) -> set[str]:
    import re

    return set(re.findall(r"\br\d+\b", " ".join([*item.inputs.values(), *item.options.values()])))


def _closed(items: list[Item]) -> list[Item]:
    """`items` with everything declared that a declared one refers to."""
    found = list(items)
    for at in reversed(range(len(found))):
        if found[at].declared:
            for name in _references(found[at]):
                index = int(name[1:])
                found[index] = replace(found[index], declared=True)
    return found
