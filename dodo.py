"""Build Kubernetes cluster images: `doit list` shows the steps, `doit build k8s=v1.22.15` runs them."""

# ruff: noqa: E402, F401, I001 -- the imports are a table of contents, in the order of the pipeline
from clusterimage.engine import noop_cache

noop_cache.exit_if_up_to_date()

from clusterimage.engine import runner
from tasks.lock import task_lock
from tasks.download import task_download
from tasks.extract import task_extract
from tasks.render_templates import task_render_templates
from tasks.merge_rootfs import task_merge_rootfs
from tasks.pull_images import task_pull_images
from tasks.save_registry import task_save_registry
from tasks.package import task_package
from tasks.build import task_build
from tasks.verify import task_verify
from tasks.push import task_push
from tasks.load import task_load
from tasks.serve import task_serve
from tasks.plan import task_plan
from tasks.diff import task_diff
from tasks.prune import task_prune
from tasks.versions import task_versions
from tasks.outdated import task_outdated

DOIT_CONFIG = runner.config(default_tasks=["build"])
