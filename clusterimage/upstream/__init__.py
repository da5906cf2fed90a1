"""The embedded upstream: a file server and an image registry on loopback whose contents are generated stand-ins.

    with Upstream(files, images) as upstream:
        upstream.url        https://HOST/PATH is published at  {url}/HOST/PATH
        upstream.registry   HOST/REPO:TAG is pulled as         {registry}/HOST/REPO:TAG

It serves no real software: every file, binary and layer contains "clusterimage stand-in".
"""

from clusterimage.upstream.auth import Auth
from clusterimage.upstream.catalogue import constants, published
from clusterimage.upstream.faults import Fault, Faults, Kind
from clusterimage.upstream.files import UpstreamFile
from clusterimage.upstream.log import Entry, Log
from clusterimage.upstream.server import Upstream

__all__ = ["Auth", "Entry", "Fault", "Faults", "Kind", "Log", "Upstream", "UpstreamFile", "constants", "published"]
