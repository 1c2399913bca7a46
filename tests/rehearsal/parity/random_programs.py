"""Generate random programs of two to four steps with resources, options and changes between the steps.

A program is one function. Several programs share one stack, each with its own name prefix, because every run
of an engine takes seconds.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from random import Random

PRELUDE = """\
import pathlib

import pulumi
from pulumi import Alias, AssetArchive, FileArchive, FileAsset, StringAsset
from pulumi import CustomTimeouts, Output, ResourceHook, ResourceHookBinding, ResourceOptions

BUCKET, PET = "gcp:storage/bucket:Bucket", "random:index/randomPet:RandomPet"
PASSWORD, CONFIG = "random:index/randomPassword:RandomPassword", "kubernetes:core/v1:ConfigMap"
OBJECT = "gcp:storage/bucketObject:BucketObject"


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


class Object(pulumi.CustomResource):
    def __init__(self, called, opts=None, **inputs):
        super().__init__(OBJECT, called, {"bucket": "objects", **inputs}, opts)


def file(name, text):
    path = pathlib.Path("files", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def folder(name, text):
    return str(pathlib.Path(file(f"{name}/text", text)).parent)


class Read(Bucket):
    pass  # exists already: the program only reads it


class Box(pulumi.ComponentResource):
    def __init__(self, called, opts=None, outputs=None, kind="Box", **inputs):
        super().__init__(f"toys:index:{kind}", called, inputs, opts)
        if outputs is not None:
            self.register_outputs(outputs)


class Provider(pulumi.ProviderResource):
    def __init__(self, called, opts=None, **inputs):
        super().__init__("gcp", called, inputs, opts)


def former(kind, name):
    return f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::{kind}::{name}"


def louder(args):
    if args.type_ == BUCKET:
        return pulumi.ResourceTransformResult({**args.props, "forceDestroy": True}, args.opts)
    return None


def marked(args):
    if args.type_ == CONFIG and args.name.endswith("0") and args.opts.replacement_trigger is None:
        options = ResourceOptions.merge(args.opts, ResourceOptions(retain_on_delete=True))
        return pulumi.ResourceTransformResult({**args.props, "immutable": False}, options)
    return None


pulumi.runtime.register_resource_transform(marked)
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
    aliases: tuple[str, ...] = ()
    declared: bool = True
    exported: bool = False
    named_after_parent: bool = False

    def source(self, variable: str) -> str:
        name = repr(self.name)
        if self.named_after_parent and "parent" in self.options:
            name = f"{self.options['parent']}.pulumi_resource_name + {'-' + self.name!r}"
        options = dict(self.options)
        if self.aliases:
            options["aliases"] = f"[{', '.join(self.aliases)}]"
        listed = ", ".join(f"{key}={value}" for key, value in options.items())
        inputs = "".join(f", {key}={value}" for key, value in self.inputs.items())
        text = f"{variable} = {self.kind}({name}, ResourceOptions({listed}){inputs})"
        if self.exported:
            text += f"; pulumi.export({self.prefix!r}, {variable}.{_EXPORTS[self.kind]})"
        return text

    def without_hooks(self) -> Item:
        return replace(self, options={key: value for key, value in self.options.items() if key != "hooks"})


# The type of each class whose URN may be an alias.
_TYPES = {"Bucket": "BUCKET", "Pet": "PET", "Password": "PASSWORD", "Map": "CONFIG", "Object": "OBJECT"}

# The output of each class that a program may export.
_EXPORTS = {
    "Bucket": "url",
    "Pet": "id",
    "Password": "result",
    "Map": "metadata",
    "Object": "urn",
    "Read": "id",
    "Box": "urn",
    "Provider": "urn",
}


def source(seed: int, indexes: range, step: int, *, hooks: bool = True) -> str:
    """Return the source of a stack's program at `step`, consisting of the programs `indexes`.

    Without `hooks`, no resource has a hook, so that a destruction needs no running program.
    """
    parts = [PRELUDE]
    for index in indexes:
        steps = program(seed, index)
        items = enumerate(steps[min(step, len(steps) - 1)])
        declared = [(at, item if hooks else item.without_hooks()) for at, item in items if item.declared]
        lines = [f"    {item.source(f'r{at}')}" for at, item in declared]
        body = "\n".join(lines or ["    pass"])
        parts.append(f"def program_{index}():\n{body}\n\n\nprogram_{index}()\n")
    return "\n\n".join(parts)


def options(seed: int, indexes: range, step: int) -> tuple[str, ...]:
    """Return options of the update at `step`, which may select resources or request replacements."""
    random = Random(f"{seed}/{indexes}/{step}/options")
    if step == 0 or random.random() < 0.5:
        return ()
    before = _declared(seed, indexes, step - 1)
    names = sorted({item.name for item in [*before, *_declared(seed, indexes, step)]})
    found: list[str] = []
    kind = random.choice(["--target", "--target", "--exclude", "--exclude", "--replace"])
    if kind == "--replace":  # only what exists can be replaced, and nothing that is protected
        names = [item.name for item in before if item.options.get("protect") != "True"]
        return tuple(part for name in random.sample(names, 1) for part in (kind, f"**::{name}"))
    whole = [f"p{index}" for index in indexes if kind == "--target" and random.random() < 0.7]
    found += [f"**::{name}-*" for name in whole]
    found += [f"**::{name}" for name in random.sample(names, min(len(names), len(indexes)))]
    dependents = [f"{kind}-dependents"] if random.random() < 0.7 else []
    return (*(part for pattern in found for part in (kind, pattern)), *dependents)


def _declared(seed: int, indexes: range, step: int) -> list[Item]:
    found: list[Item] = []
    for index in indexes:
        steps = program(seed, index)
        found += [item for item in steps[min(step, len(steps) - 1)] if item.declared]
    return found


def program(seed: int, index: int) -> list[list[Item]]:
    """Return the resources of program `index` at each step; deterministic."""
    random = Random(f"{seed}/{index}")
    first = [_item(random, index, at) for at in range(random.randint(2, 5))]
    first = [_with_options(random, item, first[:at], at) for at, item in enumerate(first)]
    steps = [first]
    for step in range(1, random.randint(2, 4)):
        steps.append(_next(random, steps[-1], step))
    return steps


def _item(random: Random, index: int, at: int) -> Item:
    kind = random.choice(_KINDS)
    prefix = f"v{index}-{at}"
    return Item(
        f"p{index}-{kind.lower()}{at}",
        kind,
        _inputs(random, kind, prefix),
        prefix=prefix,
        exported=random.random() < 0.2,
        named_after_parent=random.random() < 0.3,
    )


_KINDS = [*["Bucket"] * 4, *["Pet"] * 4, *["Password", "Map", "Box", "Provider"] * 2, "Object", "Read"]


def _inputs(random: Random, kind: str, prefix: str) -> dict[str, str]:
    """Return random inputs; a string may be a secret. Strings of one resource share a `prefix`."""
    text, other = _text(random, prefix), _text(random, prefix)
    match kind:
        case "Bucket":
            found = {"labels": _whole(random, f'{{"a": {text}, "b": "1"}}')}
            if random.random() < 0.15:
                found["website"] = f'{{"mainPageSuffix": {other}}}'
            if random.random() < 0.3:
                found["location"] = f'"{random.choice(["EU", "US"])}"'
            if random.random() < 0.3:
                count = random.randint(1, 3)
                headers = f', "responseHeaders": ["x", {other}]' if random.random() < 0.4 else ""
                age = random.choice([60, 3600])
                rules = [f'{{"methods": ["GET"], "maxAgeSeconds": {age}{headers}}}'] * count
                found["cors"] = f"[{', '.join(rules)}]"
            return found
        case "Pet":
            keepers = {"keepers": _whole(random, f'{{"k": {text}}}')}
            return keepers | ({"length": "3"} if random.random() < 0.2 else {})
        case "Password":
            return {"keepers": f'{{"k": {text}}}'}
        case "Map":
            more = f', "l": Output.concat("l-", {other})' if random.random() < 0.3 else ""
            return {"data": _whole(random, f'{{"k": {text}{more}}}')}
        case "Object":
            return {"source": _source(random, prefix)}
        case "Read":
            return {}
        case "Provider":
            return {"project": f'"{random.choice(["ours", "theirs"])}"'}
        case _:
            found = {"a": text}
            if random.random() < 0.3:
                found["nested"] = _whole(random, f'{{"list": ["1", {other}], "deep": {{"x": {text}}}}}')
            if random.random() < 0.5:
                nested = f', "n": {{"m": [{other}]}}' if random.random() < 0.4 else ""
                found["outputs"] = f'{{"o": {text}{nested}}}'
            return found


def _text(random: Random, prefix: str) -> str:
    text = f'"{prefix}-{random.randint(0, 3)}"'
    return f"Output.secret({text})" if random.random() < 0.2 else text


def _whole(random: Random, value: str) -> str:
    """Return `value`, which is secret as a whole in some cases."""
    return f"Output.secret({value})" if random.random() < 0.08 else value


def _source(random: Random, prefix: str) -> str:
    """Return a random asset or archive; files and folders are written by the program."""
    text = f'"{prefix}-{random.randint(0, 2)}"'
    found = random.choice(
        [
            f"StringAsset({text})",
            f'FileAsset(file("{prefix}", {text}))',
            f'FileArchive(folder("{prefix}-folder", {text}))',
            f'AssetArchive({{"a": StringAsset({text}), "f": FileArchive(folder("{prefix}-f", {text}))}})',
        ]
    )
    return f"Output.secret({found})" if random.random() < 0.2 else found


def _with_options(random: Random, item: Item, before: list[Item], at: int) -> Item:
    """Return `item` with random options, which may refer to the resources `before` it."""
    options: dict[str, str] = {}
    inputs = dict(item.inputs)
    if item.kind == "Read":
        return replace(item, options={"id": f'"bucket-{random.randint(0, 1)}"'})
    custom = [n for n, other in enumerate(before) if other.kind not in ("Box", "Provider", "Read")]
    boxes = [n for n, other in enumerate(before) if other.kind == "Box"]
    clouds = [n for n, other in enumerate(before) if other.kind == "Provider"]

    def chance(share: float) -> bool:
        return random.random() < share

    if boxes and chance(0.4):
        options["parent"] = f"r{random.choice(boxes)}"
    elif custom and chance(0.08):
        options["parent"] = f"r{random.choice(custom)}"
        options["protect"] = "False"  # not that of the parent, under which a replacement is an error
    if custom and chance(0.3):  # a component includes its children, possibly this resource
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
        kinds = ["before_create", "after_create", "before_update", "after_update", "before_delete"]
        listed = ", ".join(f"{kind}=[hook]" for kind in random.sample(kinds, 2))
        options["hooks"] = f"ResourceHookBinding({listed})"
    if item.kind == "Box" and clouds and chance(0.4):
        options["providers"] = f"[r{random.choice(clouds)}]"
    # A protected resource must not be replaced, so it gets no option by which another resource replaces it.
    bound = options.keys() & {"parent", "deleted_with", "replace_with"}
    if item.kind == "Bucket" and chance(0.15) and not bound:
        options["protect"] = "True"
        inputs["location"] = '"EU"'
    if item.kind == "Bucket":
        if chance(0.3):
            paths = ["labels.a", "labels", "location", "cors[*].maxAgeSeconds", "labels.*", "cors[0]", "cors"]
            options["ignore_changes"] = json.dumps(random.sample(paths, random.choice([1, 1, 2])))
        if options.get("protect") == "True":
            return replace(item, options=options, inputs=inputs)
        if chance(0.2):
            options["replace_on_changes"] = f'["{random.choice(["labels", "labels.b", "*"])}"]'
        if chance(0.25):
            options["transforms"] = "[louder]"
        if clouds and chance(0.5):
            options["provider"] = f"r{random.choice(clouds)}"
        pets = [n for n in custom if before[n].kind == "Pet"]
        if pets and chance(0.4):
            inputs["labels"] = f'{{"a": r{random.choice(pets)}.id, "b": "1"}}'
    ignored = {"Pet": '["keepers"]', "Map": '["data.k"]', "Box": '["a"]', "Object": '["source"]'}
    if item.kind in ignored and chance(0.15):
        options["ignore_changes"] = ignored[item.kind]
    if item.kind == "Map" and chance(0.2):
        options["replace_on_changes"] = random.choice(['["data"]', '["data.k"]', '["*"]'])
    if item.kind in ("Bucket", "Pet", "Map", "Object") and chance(0.2):
        options["delete_before_replace"] = random.choice(["True", "False"])
    # The SDK cannot serialize the trigger of a resource that has transforms.
    if item.kind in ("Pet", "Bucket", "Map", "Box") and "transforms" not in options and chance(0.15):
        pets = [n for n in custom if before[n].kind == "Pet"]
        text = f'"{random.randint(0, 2)}"'
        options["replacement_trigger"] = f"r{random.choice(pets)}.length" if pets and chance(0.3) else text
    secrets = {"Password": "keepers", "Bucket": "url", "Map": "data", "Pet": "length"}
    if item.kind in secrets and chance(0.2):
        options["additional_secret_outputs"] = f'["{secrets[item.kind]}"]'
    # With `replace_with`, the CLI ends with `unknown provider` where no other resource has that default one.
    dependent = "replace_with" in options
    if item.kind in ("Bucket", "Pet") and chance(0.05) and not dependent:
        options["version"] = '"1.2.3"'
    if item.kind == "Pet" and chance(0.05) and not dependent:
        options["plugin_download_url"] = '"https://example.com/p"'
    if item.kind == "Bucket" and not options and chance(0.3):
        options["import_"] = f'"exists-{item.prefix}"'
        inputs["name"] = f'"exists-{item.prefix}"'
    return replace(item, options=options, inputs=inputs)


def _next(random: Random, items: list[Item], step: int) -> list[Item]:
    """Return the next step: changed inputs and options; removed, re-added and renamed resources."""
    used = {name for item in items if item.declared for name in _references(item)}
    found = []
    for at, item in enumerate(items):
        draw = random.random()
        if random.random() < 0.7:  # an alias may stay in the program for longer than it is needed
            item = replace(item, aliases=())
        if draw < 0.35:
            fresh = _inputs(random, item.kind, item.prefix)
            unchanged = {k: v for k, v in item.inputs.items() if ".id" in v or k in ("name", "kind")}
            # Another location is a replacement, which fails for these, and the order of registrations decides
            # what the engines do before a failure.
            if item.options.get("protect") == "True" or "import_" in item.options:
                fresh.pop("location", None)
                unchanged |= {key: value for key, value in item.inputs.items() if key == "location"}
            item = replace(item, inputs=fresh | unchanged)
        elif draw < 0.5:
            # If one of these is removed in the step in which its target is deleted before replacement,
            # the CLI deletes the resource after its registration and does not create it again.
            # It also fails if that resource's former default provider is not used any more.
            lasting = ("replace_with", "deleted_with", "version", "plugin_download_url")
            bound = {key: value for key, value in item.options.items() if key in lasting}
            item = _with_options(random, item, items[:at], at)
            options = {**bound, **item.options}
            if bound.keys() & {"replace_with", "deleted_with"}:
                options.pop("protect", None)
            item = replace(item, options=options)
        elif draw < 0.6 and f"r{at}" not in used and item.options.get("protect") != "True":
            item = replace(item, declared=not item.declared)
        elif draw < 0.68 and item.declared:
            alias = f"Alias(name={item.name!r})"
            if item.kind in _TYPES and "parent" not in item.options and random.random() < 0.4:
                alias = f"former({_TYPES[item.kind]}, {item.name!r})"  # a URN
            item = replace(item, name=f"{item.name}-{step}", aliases=(alias, *item.aliases))
            if item.kind == "Box" and random.random() < 0.4:  # children have another URN with its type
                kind = item.inputs.get("kind", '"Box"')
                alias = f'Alias(name={item.name.removesuffix(f"-{step}")!r}, type_="toys:index:" + {kind})'
                inputs = {**item.inputs, "kind": f'"Box{step}"'}
                item = replace(item, inputs=inputs, aliases=(alias, *item.aliases[1:]))
        elif draw < 0.72 and item.declared and item.kind not in ("Read", "Provider"):
            item = _moved(random, item, items[:at])
        found.append(item)
    return _closed(found)


def _moved(random: Random, item: Item, before: list[Item]) -> Item:
    """Return `item` with another parent and an alias for the former one."""
    boxes = [n for n, other in enumerate(before) if other.kind == "Box" and other.declared]
    former = item.options.get("parent")
    options = {key: value for key, value in item.options.items() if key != "parent"}
    if former is None and boxes:
        options["parent"] = f"r{random.choice(boxes)}"
        return replace(item, options=options, aliases=("Alias(parent=None)",))
    if former is not None:
        return replace(item, options=options, aliases=(f"Alias(parent={former})",))
    return item


def _references(item: Item) -> set[str]:
    text = " ".join([*item.inputs.values(), *item.options.values(), *item.aliases])
    return set(re.findall(r"\br\d+\b", text))


def _closed(items: list[Item]) -> list[Item]:
    """Return `items` closed under references: every referenced item is declared."""
    found = list(items)
    for at in reversed(range(len(found))):
        if found[at].declared:
            for name in _references(found[at]):
                index = int(name[1:])
                found[index] = replace(found[index], declared=True)
    return found
