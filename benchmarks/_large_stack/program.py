"""Program of 1,500 resources in components; ``step`` selects the changes after the first update."""

import pulumi

COUNT = 1500
COMPONENT = 100  # resources of one component
REPLACED = 20  # every such resource is replaced by a later step
STEP = pulumi.Config().require_int("step")


class Resource(pulumi.CustomResource):
    """A resource without an SDK class, so that no SDK import is measured."""

    def __init__(self, type_: str, name: str, parent: pulumi.Resource, **inputs: object) -> None:
        super().__init__(type_, name, dict(inputs), pulumi.ResourceOptions(parent=parent))


class Component(pulumi.ComponentResource):
    """Parent of `COMPONENT` resources."""

    def __init__(self, name: str) -> None:
        super().__init__("benchmark:index:Component", name)


component = Component("component-0")
for number in range(COUNT):
    if number and number % COMPONENT == 0:
        component = Component(f"component-{number // COMPONENT}")
    # Half of the resources change; of these, a tenth is replaced.
    value = str(STEP if number % 2 == 0 else 0)
    if number % REPLACED == 0:
        Resource(
            "random:index/randomPet:RandomPet", f"pet-{number}", component, length=2, keepers={"v": value}
        )
    elif number % 3 == 0:
        Resource(
            "kubernetes:core/v1:ConfigMap",
            f"map-{number}",
            component,
            apiVersion="v1",
            kind="ConfigMap",
            metadata={"name": f"map-{number}"},
            data={"v": value},
        )
    else:
        Resource(
            "gcp:storage/bucket:Bucket", f"bucket-{number}", component, location="EU", labels={"v": value}
        )
