"""Discover the container images that the content of an image references.

places.py   which files are searched, and in which format
fields.py   which fields of a YAML document are image references
texts.py    YAML documents, and Go templates of YAML
charts.py   charts, rendered by helm or read from their values
"""

from clusterimage.discover.places import Findings as Findings
from clusterimage.discover.places import find as find
