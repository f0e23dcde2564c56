"""The roots that an archive keeps, and how an archive that has none gets them."""

from __future__ import annotations

import logging

from azureml_replay.archive.digesting import Digesting
from azureml_replay.archive.sums import CONTENT, TABLES
from azureml_replay.terminal.hints import hint

NOTICES = logging.getLogger("azureml_replay.archive")
"""One line each for whoever uses the archive; the terminal shows them."""
_AT_ONCE = 5_000
"""Rows whose sums are held in memory."""


class Roots(Digesting):
    """The part of an archive that answers for all of it in 64 digits."""

    def content_root(self) -> str:
        """Of all values that came from the source, as kept with every write; `check` reckons it anew."""
        return self._kept_root(CONTENT)

    def _sum_all(self) -> None:
        """Makes every digest and sum anew, of what lies here now. In the transaction of the last migration."""
        (runs,) = self._one("select count(*) from run where generation > 0")
        if runs:
            NOTICES.warning(
                "archive %s is of an older format: it gets digests of what it holds now (%s runs, about %s s); "
                "`%s` finds what changes from here on",
                self.folder,
                f"{runs:,}",
                f"{runs // 2_500 + 1:,}",
                hint("check", self.folder),
            )
        self._execute("delete from checksum")
        self._execute("delete from root")
        extracted = "select id, generation from run where generation > 0 and id > ? order by id limit ?"
        for run, generation in self._pages(extracted, (), ("",)):
            self._execute("update run set content_digest = ? where id = ?", (self._digest(run, generation), run))
        for table in TABLES:
            for told, (owner, whose, *cells) in enumerate(self._stream(table.rows()), 1):
                self._db.sums.came(table.name, owner, whose, *cells)
                if told % _AT_ONCE == 0:
                    self._db.sums.write(self._db)
            self._db.sums.write(self._db)
