"""What can be wrong with a model folder or its source, and what to do about it.

ModelError
├── UnknownModelSource   no way is known to fetch a model of that name
├── SourceMissing        the distribution that carries the weights is not installed
├── SourceAltered        the carried file is not the one this code was written for
├── SourceRefused        the source answers, and will not give it: no such model, no permission
├── SourceUnreachable    the source does not answer, or stopped in the middle, more often than is tried again
├── NoRoom               the disk has no room for it, also after everything that may go is gone
├── NotTrusted           a folder's manifest bears no signature of anyone who is trusted here
├── FolderUnfit          a model folder holds what it must not, or a byte differs from its manifest
├── ConfigUnreadable     a `config.json` describes no architecture that is known here
├── UnknownGpu           no figures are kept for a GPU class of that name
├── UnknownEntry         the catalogue has no model of that name
├── EntryBroken          a file of the catalogue contradicts itself
├── DoesNotFit           a model needs more memory than the GPUs have
└── UnknownPrecision     no number format is called that
"""


class ModelError(Exception):
    """Root of the failures of this package. The message names the file, says what is wrong and what to do."""


class UnknownModelSource(ModelError):
    """The name is none of those that can be fetched."""


class SourceMissing(ModelError):
    """The distribution that carries the weights is not installed, or holds no such file."""


class SourceAltered(ModelError):
    """The carried file's SHA-256 is not the pinned one."""


class SourceRefused(ModelError):
    """Asking again would not help: the model or file is not there, or not for us."""


class SourceUnreachable(ModelError):
    """Asking again may help, and has been tried."""


class NoRoom(ModelError):
    """The message says how many bytes are needed and how many are free."""


class NotTrusted(ModelError):
    """Signers are named here, and the folder bears no good signature of any of them."""


class FolderUnfit(ModelError):
    """A model folder is refused; the message lists every flaw."""


class ConfigUnreadable(ModelError):
    """A `config.json` lacks a field, holds a wrong one, or describes an architecture that is not known here."""


class UnknownGpu(ModelError):
    """No GPU class is called that, or a count of them is none."""


class UnknownEntry(ModelError):
    """The catalogue has no model of that name or alias; the message lists the nearest."""


class UnknownPrecision(ModelError):
    """No number format is called that."""


class EntryBroken(ModelError):
    """A file of the catalogue does not read, or contradicts itself; the message names it."""


class DoesNotFit(ModelError):
    """A model does not fit the GPUs that it is to run on; the message says by how much, and what would fit."""
