"""CmdStan's file of a chain, as far as it came: what is whole in it, and what is added to it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

#: What CmdStan writes after the last draw; of a chain that is read before its end.
_END = b"# \n#  Elapsed Time: 0 seconds (Warm-up)\n#                0 seconds (Total)\n"


@dataclass(frozen=True)
class ChainFile:
    """The lines of a chain's file.

    Attributes
    ----------
    head : bytes
        What comes before the draws: the configuration, the columns' names, the step size and the
        metric that were adapted.
    draws : tuple of bytes
        The lines of whole draws.
    tail : bytes
        What CmdStan wrote after the last draw; empty where it was stopped before.
    """

    head: bytes = b""
    draws: tuple[bytes, ...] = ()
    tail: bytes = b""

    @classmethod
    def read(cls, content: bytes) -> ChainFile:
        r"""Return what is whole in a file.

        Parameters
        ----------
        content : bytes
            The file, which may end anywhere.

        Returns
        -------
        ChainFile
            Without draws where the chain was still in its warmup.

        Examples
        --------
        >>> whole = b"# num_samples = 3\nlp__,x\n# Step size = 1\n-1,2\n-3,4\n"
        >>> ChainFile.read(whole + b"-5,").draws
        (b'-1,2\n', b'-3,4\n')
        """
        lines = content.splitlines(keepends=True)
        names = next((n for n, line in enumerate(lines) if line.startswith(b"lp__")), len(lines))
        first = last = next(
            (n for n in range(names + 1, len(lines)) if not lines[n].startswith(b"#")), len(lines)
        )
        head = b"".join(lines[:first])
        if b"# Step size = " not in head:
            return cls(head)
        width = lines[names].count(b",")
        while last < len(lines) and _is_draw(lines[last], width):
            last += 1
        tail = b"".join(lines[last:])
        ended = tail.startswith(b"#") and b"(Total)" in tail
        return cls(head, tuple(lines[first:last]), tail if ended else b"")

    @property
    def content(self) -> bytes:
        """The file."""
        return b"".join([self.head, *self.draws, self.tail])

    def followed_by(self, more: ChainFile) -> ChainFile:
        """Return the file with the draws of a chain that went on from its last one.

        Parameters
        ----------
        more : ChainFile
            What came after. Its gradients are counted on from those of before.

        Returns
        -------
        ChainFile
        """
        if not self.draws:
            return more
        names = self.head[self.head.index(b"lp__") :].partition(b"\n")[0].split(b",")
        column = names.index(b"gradients__")
        before = float(self.draws[-1].split(b",")[column])

        def counted_on(draw: bytes) -> bytes:
            values = draw.split(b",")
            values[column] = b"%.17g" % (before + float(values[column]))
            return b",".join(values)

        return replace(self, draws=self.draws + tuple(map(counted_on, more.draws)), tail=more.tail)

    def up_to(self, wanted: int) -> ChainFile:
        """Return the file of a chain that still has a draw to make, or has its end.

        Parameters
        ----------
        wanted : int
            How many draws the whole chain has.

        Returns
        -------
        ChainFile
            Where CmdStan was stopped between the last draw and the end, without that draw.
        """
        return self if self.tail else replace(self, draws=self.draws[: wanted - 1])

    def ended_here(self, thin: int) -> bytes:
        """Return a file as if it had been meant to end with its last draw, which CmdStanPy reads.

        Parameters
        ----------
        thin : int
            How many iterations each draw takes.

        Returns
        -------
        bytes
        """
        count = b"num_samples = %d" % (len(self.draws) * thin)
        return replace(
            self, head=re.sub(rb"num_samples = \d+", count, self.head), tail=_END
        ).content


def _is_draw(line: bytes, width: int) -> bool:
    """Return whether a line has all its numbers, and its end: a disk may be full anywhere."""
    if not line.endswith(b"\n") or line.count(b",") != width:
        return False
    try:
        return bool([float(value) for value in line.split(b",")])
    except ValueError:
        return False
