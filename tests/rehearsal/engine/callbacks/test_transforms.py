"""Transforms of resources and of function calls, run by the program on request of the engine."""

from __future__ import annotations

from rehearsal.pulumi.properties import Secret
from tests.rehearsal.engine.conftest import Stack
from tests.rehearsal.engine.fake_provider import Cloud


def test_transforms_run_for_the_resource_its_parents_and_the_stack(stack: Stack, cloud: Cloud) -> None:
    stack.up("""
        import pulumi.runtime

        def louder(args):
            if args.type_ == "toy:index:Thing":
                props = {**args.props, "value": args.props["value"] * 2}
                return pulumi.ResourceTransformResult(props, args.opts)

        def protects(args):
            if args.name == "b":
                opts = ResourceOptions.merge(args.opts, ResourceOptions(protect=True))
                return pulumi.ResourceTransformResult(args.props, opts)

        pulumi.runtime.register_resource_transform(protects)
        Thing("a", ResourceOptions(transforms=[louder]), value=21)
        g = Group("g", ResourceOptions(transforms=[louder]))
        Thing("b", ResourceOptions(parent=g), value=4)
        Thing("c", value=5)
    """)
    assert [stack.record(name).inputs["value"] for name in "abc"] == [42, 8, 5]
    assert [stack.record(name).protect for name in "abc"] == [False, True, False]


def test_transform_keeps_secrets_and_dependencies(stack: Stack) -> None:
    stack.up("""
        def same(args):
            return pulumi.ResourceTransformResult(dict(args.props), args.opts)

        first = Thing("first", value=1)
        Thing(
            "a",
            ResourceOptions(transforms=[same]),
            value=pulumi.Output.secret("hidden-value"),
            fixed=first.computed,
        )
    """)
    record = stack.record("a")
    assert record.inputs["value"] == Secret("hidden-value")
    assert record.inputs["fixed"] == "first-computed"
    assert record.dependencies == (stack.record("first").urn,)
    assert "hidden-value" not in stack.file.read_text()


def test_dependency_that_a_transform_adds_counts_for_its_own_resource_only(stack: Stack) -> None:
    """The CLI's engine ignores it for children, and for resources that a transform of the stack reaches."""
    stack.up("""
        first = Thing("first", value=1)

        def later(args):
            opts = ResourceOptions.merge(args.opts, ResourceOptions(depends_on=[first]))
            return pulumi.ResourceTransformResult(args.props, opts)

        Thing("own", ResourceOptions(transforms=[later]), value=1)
        g = Group("g", ResourceOptions(transforms=[later]))
        Thing("child", ResourceOptions(parent=g), value=1)
    """)
    assert stack.record("own").dependencies == (stack.record("first").urn,)
    assert stack.record("child").dependencies == ()


def test_invoke_transform_changes_arguments(stack: Stack, cloud: Cloud) -> None:
    cloud.functions["toy:index:double"] = lambda args: {"result": args["value"] * 2}
    result = stack.up("""
        import pulumi.runtime

        def more(args):
            return pulumi.InvokeTransformResult({**args.args, "value": args.args["value"] + 1}, args.opts)

        pulumi.runtime.register_invoke_transform(more)
        async def main():
            found = await pulumi.runtime.invoke_async("toy:index:double", {"value": 20})
            return found["result"]
        pulumi.export("result", pulumi.Output.from_input(main()))
    """)
    assert result.outputs["result"] == 42


def test_function_is_called_without_arguments_that_a_transform_makes_unknown(
    stack: Stack, cloud: Cloud
) -> None:
    cloud.functions["toy:index:names"] = lambda args: {"names": sorted(args)}
    program = """
        import pulumi.runtime
        thing = Thing("thing", value=1)

        def more(args):
            return pulumi.InvokeTransformResult({**args.args, "later": thing.computed}, args.opts)

        pulumi.runtime.register_invoke_transform(more)
        found = pulumi.runtime.invoke_output("toy:index:names", {"now": 1})
        pulumi.export("names", found["names"])
    """
    assert stack.preview(program).outputs["names"] == ["now"]
    assert stack.up(program).outputs["names"] == ["later", "now"]
