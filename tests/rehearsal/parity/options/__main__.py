"""Program that uses every resource option, in steps selected by the setting `kingdom:step`.

Each function covers one group of options. They share a stack, so that a step needs one run of an engine.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi import Alias, CustomTimeouts, Output, ResourceOptions

BUCKET, PET = "gcp:storage/bucket:Bucket", "random:index/randomPet:RandomPet"


class Bucket(pulumi.CustomResource):
    """A bucket declared by type token, because importing the SDK takes seconds."""

    name: Output[str]
    location: Output[str]
    url: Output[str]

    def __init__(self, resource_name: str, opts: ResourceOptions | None = None, **inputs: Any) -> None:
        super().__init__(BUCKET, resource_name, {"location": "EU", "name": None, "url": None, **inputs}, opts)


class Pet(pulumi.CustomResource):
    """A resource that every input change replaces."""

    length: Output[int]

    def __init__(self, name: str, opts: ResourceOptions | None = None, **inputs: Any) -> None:
        super().__init__(PET, name, {"length": 2, **inputs}, opts)


class Zoo(pulumi.ComponentResource):
    """A component with two pets and a bucket."""

    def __init__(
        self, name: str, opts: ResourceOptions | None = None, *, kind: str = "Zoo", **inputs: Any
    ) -> None:
        super().__init__(f"toys:index:{kind}", name, inputs, opts)
        child = ResourceOptions(parent=self)
        first = Pet(f"{name}-first", child)
        after = ResourceOptions(parent=self, depends_on=[first])
        self.second = Pet(f"second-of-{name}", after, **inputs)
        self.bucket = Bucket(f"{name}-bucket", child, labels={"of": first.id})
        self.register_outputs({"second": self.second.id, "hidden": Output.secret(first.id)})


def aliases(step: int) -> None:
    """Aliases: a new name, then a new parent, then a component with a new name and type."""
    old = "fido" if step == 1 else None
    parent = Zoo("park")
    options = ResourceOptions(
        parent=parent if step >= 2 else None,
        aliases=[Alias(name=old)] if old else [Alias(parent=pulumi.ROOT_STACK_RESOURCE)] if step == 2 else [],
    )
    pet = Pet("rex" if step else "fido", options)
    Bucket("kennel", labels={"of": pet.id})
    if step == 0:
        Zoo("small")
    else:
        Zoo("great", opts=ResourceOptions(aliases=[Alias(name="small", type_="toys:index:Zoo")]), kind="Park")


def ignored(step: int) -> None:
    """`ignore_changes` with paths and wildcards, for added, changed and removed values."""
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
    """Replacements by option, and replacements of dependents."""
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


def retained(step: int) -> None:
    """`retain_on_delete`, `deleted_with` and custom timeouts."""
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
    """Secrets: as inputs, nested, by option and through derived values."""
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
    """Providers: explicit, inherited, reconfigured, and replacing the default one."""
    settings = {"project": "mine", "region": "europe-west1" if step < 2 else "europe-west4"}
    own = pulumi.ProviderResource("gcp", "own", settings)
    other = pulumi.ProviderResource("gcp", "other", {"project": "theirs" if step < 3 else "nobodys"})
    Bucket("owned", ResourceOptions(provider=own))
    Bucket("others", ResourceOptions(provider=other))
    Bucket("changes-hands", ResourceOptions(provider=own if step % 2 else None))
    component = pulumi.ComponentResource("toys:index:Box", "box", {}, ResourceOptions(providers=[own]))
    Bucket("inherits", ResourceOptions(parent=component))


def transformed(step: int) -> None:
    """Transformations of a component and its children."""

    def labelled(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if args.type_ != BUCKET:
            return None
        options = ResourceOptions.merge(args.opts, ResourceOptions(ignore_changes=["location"]))
        return pulumi.ResourceTransformationResult({**args.props, "labels": {"step": str(step)}}, options)

    Zoo("labelled", ResourceOptions(transformations=[labelled]))


def related(step: int) -> None:
    """Dependencies: on components, on lists and through combined outputs."""
    zoo = Zoo("related", length=2 + step // 2)
    pets = [Pet(f"many-{index}", ResourceOptions(depends_on=[zoo])) for index in range(3 - step // 2)]
    joined = Output.all(*[pet.id for pet in pets], zoo.second.id).apply("-".join)
    Bucket("joined", labels={"all": joined.apply(lambda text: str(len(text))), "none": "x"})
    found = pulumi.runtime.invoke("gcp:organizations/getProject:getProject", {"projectId": "mine"})
    Bucket("asked", labels={"number": Output.from_input(found.value["number"])})
    pulumi.export("joined", joined)


def read(step: int) -> None:
    """Reads of existing resources: added, removed, and replaced by a managed resource of the same name."""
    if step < 3:
        known = Bucket("read", ResourceOptions(id="somebodys-bucket"))
        Bucket("beside-read", labels={"of": known.location})
    Bucket("read-then-made", ResourceOptions(id="anothers-bucket" if step < 2 else None))


STEP = pulumi.Config().require_int("step")
for scenario in (aliases, ignored, replaced, retained, hidden, provided, transformed, related, read):
    scenario(STEP)
