"""Discover the container images that the content of an image references.

places.py           which files are searched, and in which format
fields.py           which fields of a YAML document are image references; keys.py, parts.py what their names say
arguments.py        command lines
texts.py            YAML documents, and Go templates of YAML
kustomizations.py   images that are renamed
charts.py           charts, rendered by helm; values.py and templates.py those that are not
lists.py            lists of images, and of archives
names.py            which strings are names
"""

from clusterimage.discover.charts import Helm as Helm
from clusterimage.discover.places import Findings as Findings
from clusterimage.discover.places import find as find
