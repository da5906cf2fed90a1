"""The doit layer: one module a step, which declares and never does.

    lock ....... versions.toml + upstream -> locks/<version>.toml      (by hand, or when a build finds none)

    download --> extract ---+
                            v
    render-templates --> merge-rootfs --+
                            ^           v
    pull-images --> save-registry --> package --> build

    plan, diff ......... what a build would do, what two locks or images differ in: they say it and make nothing
    prune .............. what nothing uses any more goes from _build/

Every edge is a file. Modules that begin with an underscore are the machinery: what is planned (_plan), what a task
looks like (_step), what running one means (_run), how doit runs them all (_engine and its parts), what
need not run at all (_settled).
"""
