"""render-templates: our build-time templates, for every cluster image.

context/**/*.j2  ->  _build/rendered/<image>/ + .manifest
"""

from collections.abc import Iterator

from clusterimage.context import rendering
from clusterimage.engine.invocation import plan
from clusterimage.engine.step import Made, Task, group, step


def task_render_templates() -> Iterator[Task]:
    """Render the templates of context/."""
    yield group("render-templates", "Render the templates of context/")
    for one in plan().renders:
        listing = plan().layout.listing("rendered", one.name)
        call = (rendering.write, one.rendering, one.tree)
        made = Made(listing, one.tree)
        yield step(f"render-templates:{one.name}", call, inputs=one.rendering.inputs, outputs=(listing,), made=made)
