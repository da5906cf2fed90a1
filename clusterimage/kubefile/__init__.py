"""Kubefiles, as `sealer build` reads them, and what they put into an image.

parse.py         lines, words, variables
sources.py       what a path or pattern names in the build context, and where it goes
applications.py  APP, CNI, CSI, APPCMDS, APPENV, LAUNCH, CMDS, CMD
evaluate.py      all other instructions, one after the other
content.py       what comes out: tree, labels, environment, the annotation `sealer.image.extension`
"""

from clusterimage.kubefile.content import Content as Content
from clusterimage.kubefile.content import Inherited as Inherited
from clusterimage.kubefile.content import entries as entries
from clusterimage.kubefile.content import extension as extension
from clusterimage.kubefile.evaluate import SCRATCH as SCRATCH
from clusterimage.kubefile.evaluate import base as base
from clusterimage.kubefile.evaluate import check as check
from clusterimage.kubefile.evaluate import evaluate as evaluate
from clusterimage.kubefile.evaluate import used as used
from clusterimage.kubefile.parse import Instruction as Instruction
from clusterimage.kubefile.parse import parse as parse
from clusterimage.kubefile.sources import EXTRACTED as EXTRACTED
