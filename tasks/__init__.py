"""The doit layer: one module a step, which declares and never does.

    lock ....... versions.toml + upstream -> locks/<version>.toml      (by hand, or when a build finds none)

    download --> extract ---+
                            v
    render-templates --> merge-rootfs --+
                            ^           v
    pull-images --> save-registry --> package --> build

    plan, diff ......... say what a build would do, or what two locks or images differ in; they make nothing
    prune .............. removes from _build/ what no lock and no image uses

Every edge is a file. What a task looks like and how doit runs it is in clusterimage/engine/.
"""
