"""Errors of the file system in one sentence: the file, what is wrong, the remedy."""

import errno
from typing import Final

REMEDIES: Final = {
    errno.EACCES: "give this user the right to read and write it",
    errno.EPERM: "give this user the right to read and write it",
    errno.EROFS: "choose a data directory on a disk that can be written to",
    errno.ENOSPC: "free space on its disk, then run the command again; what was committed stays",
    errno.EDQUOT: "free space in the quota of this user, then run the command again; what was committed stays",
}


def sentence_on(error: OSError) -> str:
    """The sentence on an error of the file system."""
    named = " to ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
    problem = (error.strerror or type(error).__name__).lower()
    remedy = REMEDIES.get(error.errno or 0)
    return f"{named or 'a file'}: {problem}" + ("" if remedy is None else f"; {remedy}")
