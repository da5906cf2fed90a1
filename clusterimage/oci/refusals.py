"""Why a registry does not take a push, and what then helps: by its status and its own words.

The words are the codes of https://github.com/opencontainers/distribution-spec ("Error Codes"), and what Amazon ECR,
Harbor, Nexus, GitLab, Quay and Google's Artifact Registry say in their messages.
"""

from __future__ import annotations

import re

from clusterimage.values.errors import FetchError

_IMMUTABLE = "that tag names another image already and may not be changed: choose another with name="
_LOGIN = "log in (`docker login`), or give username= and CLUSTERIMAGE_PASSWORD"
_NETWORK = (
    "check the network and a proxy; ca=PATH if its certificate is your own, plain_http=HOST:PORT if it has no TLS"
)
_LATER = "try again later: what was pushed is not pushed again"
# What `STATUS WORDS` has in it, and the hint; the first row that fits.
_ROWS = (
    (r"^0 .*CERTIFICATE_VERIFY_FAILED", "ca=PATH if its certificate is your own"),
    (r"^0 .*(WRONG_VERSION|RECORD_LAYER)", "plain_http=HOST:PORT if it has no TLS, and is meant to have none"),
    (r"^0 .", _NETWORK),
    (r"it speaks TLS", "leave it out of plain_http="),
    (r"^429|TOOMANYREQUESTS", _LATER),
    (r"immutab|TAG_INVALID|AlreadyExists|already exists|not allow updating|tag.*protected", _IMMUTABLE),
    (
        r"quota|exceed.*limit|limit.*exceed|no space|insufficient (space|storage)",
        "free some space there, or ask for more",
    ),
    (
        r"DIGEST_INVALID|SIZE_INVALID",
        "the registry finds the bytes wrong: `doit verify` tells whether the built image is damaged",
    ),
    (r"NAME_INVALID", "the registry does not take that name: choose another with name="),
    (r"NAME_UNKNOWN|REPOSITORY_UNKNOWN", "make that repository first, or choose another with name="),
    (r"BLOB_UNKNOWN|MANIFEST_UNKNOWN", "push again: what it has lost in between is sent then"),
    (
        r"^415|media ?type|MANIFEST_INVALID",
        "the registry does not know an index of OCI, or a compression: update it, or push to another with name=",
    ),
    (r"^401", _LOGIN),
    (r"^403|DENIED", "log in with an account that may push there"),
    (r"^404", "make that repository first, or choose another with name="),
    (r"^405|^501|UNSUPPORTED", "that registry, or this way to it, is for reading only: choose another with name="),
    (r"^412", _IMMUTABLE),
    (
        r"^413",
        "the registry, or a proxy before it (client_max_body_size of nginx), does not take requests of that size",
    ),
    (r"^4(?!08|25|29)", "see what it says, and ask who runs that registry"),
    (r"", _LATER),
)


def hint(error: FetchError) -> str:
    """Return what to do about the `error` of a push; an error of our own knows it better."""
    if error.hint and not error.status and not error.said:
        return error.hint
    text = f"{error.status} {error.said}"
    return next(hint for words, hint in _ROWS if re.search(words, text, re.IGNORECASE))
