"""Parse and evaluate Kubefiles, with the syntax and meaning of `sealer build`.

parse.py         lines, words, variables; which instructions are refused
flags.py         --chmod, --chown and the flags that are refused
patterns.py      patterns of paths
sources.py       resolve source paths and patterns in the build context, and destinations
applications.py  APP, CNI, CSI, APPCMDS, APPENV, LAUNCH, CMDS, CMD
ignore_file.py   what .containerignore or .dockerignore leaves out of the build context
evaluate.py      all other instructions, in order
content.py       the result: tree, labels, environment, the annotation `sealer.image.extension`
"""

from clusterimage.kubefile.applications import command as command
from clusterimage.kubefile.content import Content as Content
from clusterimage.kubefile.content import Inherited as Inherited
from clusterimage.kubefile.content import entries as entries
from clusterimage.kubefile.content import extension as extension
from clusterimage.kubefile.evaluate import SCRATCH as SCRATCH
from clusterimage.kubefile.evaluate import base as base
from clusterimage.kubefile.evaluate import check as check
from clusterimage.kubefile.evaluate import evaluate as evaluate
from clusterimage.kubefile.evaluate import used as used
from clusterimage.kubefile.ignore_file import IgnoreFile as IgnoreFile
from clusterimage.kubefile.parse import Instruction as Instruction
from clusterimage.kubefile.parse import parse as parse
from clusterimage.kubefile.sources import EXTRACTED as EXTRACTED
