"""Finding the container images that an image's own content needs.

places.py   which files are looked through, and as what
fields.py   which values of a YAML document name an image
texts.py    YAML documents, and templates of Go with YAML around
charts.py   charts, rendered by helm or read from their values
"""

from clusterimage.discover.places import Findings as Findings
from clusterimage.discover.places import find as find
