"""Knows what differs between the two upstreams, as data: versions, names, forms, and where programs come from.

    V1_20   from Debian's packages and its source package of Kubernetes: docker and containerd, amd64 and arm64
    V1_34   from Go modules: containerd only, because cri-dockerd is no module that can be had; no network of a vendor

Versions are those that versions.toml gives for the version of Kubernetes, or `rows` says what a user changes there.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Release:
    """A Kubernetes version with all that belongs to it; what is "" it does not have.

    `key` names its directory in the cache. `etcd`, `coredns` and `pause` end the names of images below `host`, the
    others are versions of files. `proxy_mode` is what kube-proxy is told. `sandbox` finds the image of sandboxes in
    what `containerd config dump` says.
    """

    kubernetes: str
    newer: str
    key: str
    from_modules: bool
    arches: tuple[str, ...]
    host: str
    etcd: str
    coredns: str
    pause: str
    containerd: str
    containerd_programs: tuple[str, ...]
    runc: str
    cni_plugins: str
    crictl: str
    nerdctl: str
    sealos: str
    sandbox: str
    docker: str = ""
    cri_dockerd: str = ""
    calico: str = ""
    tigera_operator: str = ""
    proxy_mode: str = ""
    rows: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return self.kubernetes

    @property
    def cris(self) -> tuple[str, ...]:
        """The container runtimes that its images can be built for."""
        return ("docker", "containerd") if self.docker else ("containerd",)

    @property
    def answers_names(self) -> bool:
        """Whether its CoreDNS is the real one, and no stand-in."""
        return self.from_modules


V1_20 = Release(
    kubernetes="v1.20.2",
    newer="v1.20.3",
    key="kubernetes-1.20.5+really1.20.2-r1",
    from_modules=False,
    arches=("amd64", "arm64"),
    host="k8s.gcr.io",
    etcd="3.4.13-0",
    coredns="coredns:1.7.0",
    pause="3.2",
    containerd="1.6.20",
    containerd_programs=(
        "containerd",
        "containerd-shim",
        "containerd-shim-runc-v1",
        "containerd-shim-runc-v2",
        "ctr",
    ),
    runc="1.1.5",
    cni_plugins="1.1.1",
    crictl="v1.20.0",
    nerdctl="1.7.7",
    sealos="4.3.7",
    sandbox=r'sandbox_image = "(.*)"',
    docker="20.10.24",
    cri_dockerd="0.2.6",
    calico="v3.22.1",
    tigera_operator="v1.25.3",
    # What a user does who wants another version: the row of versions.toml says Debian's.
    rows=(
        ('["<1.21", "19.03.15",', '["<1.21", "20.10.24",'),
        ('["<1.26", "1.7.36",', '["<1.26", "1.6.20",'),
        ('["<1.26", "1.3.6"]', '["<1.26", "1.1.5"]'),
    ),
)
V1_34 = Release(
    kubernetes="v1.34.4",
    newer="v1.34.5",
    key="kubernetes-1.34.4-r1",
    from_modules=True,
    arches=("amd64",),
    host="registry.k8s.io",
    etcd="3.6.5-0",
    coredns="coredns/coredns:v1.12.1",
    pause="3.10.1",
    containerd="2.3.7",
    containerd_programs=("containerd", "containerd-shim-runc-v2", "ctr"),
    runc="1.5.2",
    cni_plugins="1.9.1",
    crictl="v1.34.0",
    nerdctl="2.3.5",
    sealos="5.1.1",
    sandbox=r"sandbox = '(.*)'",
    proxy_mode="iptables",  # ipvs wants ip_vs of the kernel and ipset in the image; no fallback from 1.26 on
)
RELEASES = (V1_20, V1_34)
