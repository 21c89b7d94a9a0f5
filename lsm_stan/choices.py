"""What a user chooses among by name."""

from typing import Literal, TypeAlias

#: The weight of a pair that is listed twice.
ParallelEdges: TypeAlias = Literal["sum", "first"]

#: The costly sums in C++ with analytic gradients, or in the Stan language, which defines them.
Kernel: TypeAlias = Literal["cpp", "stan"]

#: Where CmdStan may come from.
Origin: TypeAlias = Literal["auto", "github", "pypi"]

#: How dyads are held out: at random, every one once, or those of some nodes.
Scheme: TypeAlias = Literal["random", "folds", "nodes"]

#: How the positions of layers hang together: one for all, each around a common one, or in a row.
Structure: TypeAlias = Literal["shared", "exchangeable", "ordered"]

#: How the sum over pairs of nodes is made.
Sum: TypeAlias = Literal["exact", "approximate"]
