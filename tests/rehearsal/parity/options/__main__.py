"""What each option of a resource means, told in steps: `kingdom:step` says which of them the program is at.

Each function is a little story of its own. They share a stack, so that a step costs one run of an engine.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi import Alias, CustomTimeouts, Output, ResourceOptions

BUCKET, PET = "gcp:storage/bucket:Bucket", "random:index/randomPet:RandomPet"


class Bucket(pulumi.CustomResource):
    """By its token alone: this program is about the engine, and importing an SDK takes seconds."""

    name: Output[str]
    location: Output[str]
    url: Output[str]

    def __init__(self, called: str, opts: ResourceOptions | None = None, **inputs: Any) -> None:
        super().__init__(BUCKET, called, {"location": "EU", "name": None, "url": None, **inputs}, opts)


class Pet(pulumi.CustomResource):
    """Every input of it is fixed: another value means another pet."""

    length: Output[int]

    def __init__(self, name: str, opts: ResourceOptions | None = None, **inputs: Any) -> None:
        super().__init__(PET, name, {"length": 2, **inputs}, opts)


class Zoo(pulumi.ComponentResource):
    """Two pets and a bucket, the one beside the other."""

    def __init__(
        self, name: str, opts: ResourceOptions | None = None, *, kind: str = "Zoo", **inputs: Any
    ) -> None:
        super().__init__(f"toys:index:{kind}", name, inputs, opts)
        mine = ResourceOptions(parent=self)
        first = Pet(f"{name}-first", mine)
        after = ResourceOptions(parent=self, depends_on=[first])
        self.second = Pet(f"second-of-{name}", after, **inputs)
        self.bucket = Bucket(f"{name}-bucket", mine, labels={"of": first.id})
        self.register_outputs({"second": self.second.id, "hidden": Output.secret(first.id)})


def aliases(step: int) -> None:
    """A new name, then a new parent, then a component with a new name and a new type."""
    old = "fido" if step == 1 else None
    parent = Zoo("park")
    moved = ResourceOptions(
        parent=parent if step >= 2 else None,
        aliases=[Alias(name=old)] if old else [Alias(parent=pulumi.ROOT_STACK_RESOURCE)] if step == 2 else [],
    )
    pet = Pet("rex" if step else "fido", moved)
    Bucket("kennel", labels={"of": pet.id})
    if step == 0:
        Zoo("small")
    else:
        Zoo("great", opts=ResourceOptions(aliases=[Alias(name="small", type_="toys:index:Zoo")]), kind="Park")


def ignored(step: int) -> None:
    """Paths into maps and lists, with wildcards, of what is added, changed and taken away."""
    labels = [{"a": "1", "b": "1"}, {"a": "2", "b": "1"}, {"a": "3", "b": "2", "c": "1"}, {"b": "2"}][step]
    Bucket("ignores-a", ResourceOptions(ignore_changes=["labels.a"] if step else []), labels=labels)
    Bucket("ignores-labels", ResourceOptions(ignore_changes=["labels"] if step else []), labels=labels)
    Bucket("ignores-quoted", ResourceOptions(ignore_changes=['labels["a"]'] if step else []), labels=labels)
    Bucket("ignores-all-labels", ResourceOptions(ignore_changes=["labels.*"] if step else []), labels=labels)
    Bucket("ignores-everything", ResourceOptions(ignore_changes=["*"] if step else []), labels=labels)
    rules = [
        {"action": {"type": "Delete"}, "condition": {"age": 10 + step}},
        {"action": {"type": "Delete"}, "condition": {"age": 20 + step, "matchesPrefixes": ["x"] * step}},
    ][: 2 if step != 3 else 1]
    for index, path in enumerate(
        ["lifecycleRules[0].condition.age", "lifecycleRules[*].condition.age", "lifecycleRules[1]"]
    ):
        options = ResourceOptions(ignore_changes=[path] if step else [])
        Bucket(f"ignores-rules-{index}", options, lifecycleRules=rules)
    Pet("ignores-length", ResourceOptions(ignore_changes=["length"]), length=2 + step)


def replaced(step: int) -> None:
    """Replacements that are asked for, and those that drag others along."""
    labels = {"a": str(step), "b": "1"}
    Bucket("replaces-on-a", ResourceOptions(replace_on_changes=["labels.a"]), labels=labels)
    Bucket("replaces-on-b", ResourceOptions(replace_on_changes=["labels.b"]), labels=labels)
    Bucket("replaces-on-any", ResourceOptions(replace_on_changes=["*"]), labels=labels)
    Bucket("replaces-on-all-labels", ResourceOptions(replace_on_changes=["labels.*"]), labels=labels)
    for first in (False, True):
        name = "first" if first else "after"
        root = Pet(f"root-{name}", ResourceOptions(delete_before_replace=first), keepers={"step": str(step)})
        leaf = Pet(f"leaf-{name}", keepers={"of": root.id})
        beside = Bucket(f"beside-{name}", labels={"of": leaf.id})
        Pet(f"ordered-{name}", ResourceOptions(depends_on=[root, beside]))
    Bucket("named", name="two" if step > 1 else "one", location="US" if step in (1, 2) else "EU")


def kept(step: int) -> None:
    """What is retained, what goes along with another, what has its own time-outs."""
    if step < 2:
        Bucket("retained", ResourceOptions(retain_on_delete=True))
        host = Pet("host", keepers={"step": str(step)})
        Bucket("guest", ResourceOptions(deleted_with=host))
    Pet("retained-too", ResourceOptions(retain_on_delete=step > 0), keepers={"step": str(step)})
    timeouts = CustomTimeouts(create="5m", update=["10m", "1h", "1h30m", "45s"][step])
    Bucket("patient", ResourceOptions(custom_timeouts=timeouts))
    if step != 1:
        Pet("comes-and-goes", ResourceOptions(protect=step == 2))


def hidden(step: int) -> None:
    """Secrets: as inputs, deep inside, by option, through what is made of them."""
    word = Output.secret(f"word-{step // 2}")
    bucket = Bucket("hides", labels={"word": word, "open": "x"})
    Bucket("hides-name", ResourceOptions(additional_secret_outputs=["name", "labels"] if step else []))
    Bucket("made-of-it", labels={"of": Output.concat(word, "-", bucket.name), "name": bucket.name})
    pulumi.export("word", word)
    pulumi.export("deep", {"list": [1, word, {"x": word}], "open": step, "nothing": None, "empty": {}})
    pulumi.export("resource", bucket)
    pulumi.export("shown", Output.unsecret(word))
    pulumi.export("setting", pulumi.Config().require_secret("said"))


def provided(step: int) -> None:
    """Providers: one's own, inherited, with other settings, in place of the default."""
    settings = {"project": "mine", "region": "europe-west1" if step < 2 else "europe-west4"}
    own = pulumi.ProviderResource("gcp", "own", settings)
    other = pulumi.ProviderResource("gcp", "other", {"project": "theirs" if step < 3 else "nobodys"})
    Bucket("owned", ResourceOptions(provider=own))
    Bucket("others", ResourceOptions(provider=other))
    Bucket("changes-hands", ResourceOptions(provider=own if step % 2 else None))
    component = pulumi.ComponentResource("toys:index:Box", "box", {}, ResourceOptions(providers=[own]))
    Bucket("inherits", ResourceOptions(parent=component))


def transformed(step: int) -> None:
    """Transformations, of a component and all that is in it."""

    def labelled(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if args.type_ != BUCKET:
            return None
        options = ResourceOptions.merge(args.opts, ResourceOptions(ignore_changes=["location"]))
        return pulumi.ResourceTransformationResult({**args.props, "labels": {"step": str(step)}}, options)

    Zoo("labelled", ResourceOptions(transformations=[labelled]))


def related(step: int) -> None:
    """Dependencies: on components, on lists, through what is made of many."""
    zoo = Zoo("related", length=2 + step // 2)
    pets = [Pet(f"many-{index}", ResourceOptions(depends_on=[zoo])) for index in range(3 - step // 2)]
    joined = Output.all(*[pet.id for pet in pets], zoo.second.id).apply("-".join)
    Bucket("joined", labels={"all": joined.apply(lambda text: str(len(text))), "none": "x"})
    found = pulumi.runtime.invoke("gcp:organizations/getProject:getProject", {"projectId": "mine"})
    Bucket("asked", labels={"number": Output.from_input(found.value["number"])})
    pulumi.export("joined", joined)


def read(step: int) -> None:
    """What exists already: looked up, then no more; and what is made under a name that was looked up."""
    if step < 3:
        known = Bucket("read", ResourceOptions(id="somebodys-bucket"))
        Bucket("beside-read", labels={"of": known.location})
    Bucket("read-then-made", ResourceOptions(id="anothers-bucket" if step < 2 else None))


STEP = pulumi.Config().require_int("step")
for story in (aliases, ignored, replaced, kept, hidden, provided, transformed, related, read):
    story(STEP)
