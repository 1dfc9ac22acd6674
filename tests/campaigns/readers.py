"""Every reader of foreign bytes by name. Whoever reads another kind of file adds it to one of these."""

from tests.campaigns import file_readers, run_readers
from tests.campaigns.reader import Reader

READERS: dict[str, Reader] = {**file_readers.READERS, **run_readers.READERS}
